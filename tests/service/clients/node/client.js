// A big key analysis task's whole life by the core of the cloud's Node.js client, as code for the cloud has it: only the endpoint
// differs.
//
// `client.js ENDPOINT PROJECT INSTANCE` with the access key in CLOUD_SDK_AK and CLOUD_SDK_SK prints a JSON object per call: its
// name, the HTTP status, and what the client parsed.
import { BasicCredentials } from "@huaweicloud/huaweicloud-sdk-core/auth/BasicCredentials.js";
import { ServiceResponseException } from "@huaweicloud/huaweicloud-sdk-core/exception/ServiceResponseException.js";
import { setTimeout } from "node:timers/promises";
import { DcsClient } from "./dcs.js";

const [endpoint, projectId, instance_id] = process.argv.slice(2);
const { CLOUD_SDK_AK: ak, CLOUD_SDK_SK: sk } = process.env;

function client(sk) {
  const credential = new BasicCredentials().withAk(ak).withSk(sk).withProjectId(projectId);
  return DcsClient.newBuilder().withCredential(credential).withEndpoint(endpoint).build();
}

async function call(name, promise) {
  try {
    const { httpStatusCode: status, ...answer } = await promise;
    console.log(JSON.stringify({ call: name, status, answer }));
    return answer;
  } catch (error) {
    if (!(error instanceof ServiceResponseException)) throw error;
    const { httpStatusCode: status, errorCode: error_code, errorMsg: error_msg, requestId: request_id } = error;
    console.log(JSON.stringify({ call: name, status, error_code, error_msg, request_id }));
  }
}

const schedule = (schedule_at) => ({ instance_id, body: { enable_auto_scan: true, schedule_at } });

const dcs = client(sk);
await call("show schedule", dcs.showBigkeyAutoscanConfig({ instance_id }));
let task = await call("create", dcs.createBigkeyScanTask({ instance_id }));
await call("create again", dcs.createBigkeyScanTask({ instance_id }));
await call("list", dcs.listBigkeyScanTasks({ instance_id }));
const one = { instance_id, bigkey_id: task.id };
while (["waiting", "running"].includes(task.status)) {
  await setTimeout(20);
  task = await call("show", dcs.showBigkeyScanTaskDetails(one));
}
await call("list a page", dcs.listBigkeyScanTasks({ instance_id, offset: 0, limit: 1, status: "success" }));
await call("delete", dcs.deleteBigkeyScanTask(one));
await call("delete again", dcs.deleteBigkeyScanTask(one));
await call("show deleted", dcs.showBigkeyScanTaskDetails(one));
await call("update schedule", dcs.updateBigkeyAutoscanConfig(schedule(["21:00"])));
await call("show updated schedule", dcs.showBigkeyAutoscanConfig({ instance_id }));
await call("update schedule wrongly", dcs.updateBigkeyAutoscanConfig(schedule(["25:00"])));
await call("list an empty page", dcs.listBigkeyScanTasks({ instance_id, limit: 0 }));
await call("show a malformed ID", dcs.showBigkeyScanTaskDetails({ instance_id, bigkey_id: "no.id" }));
await call("unknown instance", dcs.createBigkeyScanTask({ instance_id: "nobodys" }));
await call("instance of others", dcs.createBigkeyScanTask({ instance_id: "anothers" }));
await call("wrong secret", client("wrong").createBigkeyScanTask({ instance_id }));
