// The calls of big key analysis tasks, made as the cloud's other packages for Node.js make theirs: by its core, which signs, sends
// and reads errors. The package for DCS is not in the npm registry.
import { ClientBuilder } from "@huaweicloud/huaweicloud-sdk-core/ClientBuilder.js";

const INSTANCE = "/v2/{project_id}/instances/{instance_id}";

export class DcsClient {
  constructor(client) {
    this.hcClient = client;
  }

  static newBuilder() {
    return new ClientBuilder((client) => new DcsClient(client), "BasicCredentials");
  }

  createBigkeyScanTask({ instance_id }) {
    return this.#send("POST", "/bigkey-task", { instance_id });
  }

  listBigkeyScanTasks({ instance_id, ...queryParams }) {
    return this.#send("GET", "/bigkey-tasks", { instance_id }, { queryParams });
  }

  showBigkeyScanTaskDetails({ instance_id, bigkey_id }) {
    return this.#send("GET", "/bigkey-task/{bigkey_id}", { instance_id, bigkey_id });
  }

  deleteBigkeyScanTask({ instance_id, bigkey_id }) {
    return this.#send("DELETE", "/bigkey-task/{bigkey_id}", { instance_id, bigkey_id });
  }

  showBigkeyAutoscanConfig({ instance_id }) {
    return this.#send("GET", "/bigkey/autoscan", { instance_id });
  }

  updateBigkeyAutoscanConfig({ instance_id, body }) {
    return this.#send("PUT", "/bigkey/autoscan", { instance_id }, { data: body });
  }

  #send(method, path, pathParams, more = {}) {
    const options = { method, url: INSTANCE + path, contentType: "application/json", queryParams: {}, pathParams, headers: {}, data: {} };
    return this.hcClient.sendRequest({ ...options, ...more, responseHeaders: [""] });
  }
}
