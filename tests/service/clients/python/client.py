"""A big key analysis task's whole life by the cloud's Python client, as code for the cloud has it: only the endpoint differs.

`client.py ENDPOINT PROJECT INSTANCE SINGLE_INSTANCE` with the access key in CLOUD_SDK_AK and CLOUD_SDK_SK prints a JSON object per
call: its name, the HTTP status, and what the client parsed.
"""

import json
import os
import sys
import time

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException
from huaweicloudsdkdcs.v2 import *


def document(endpoint, ak, sk, project_id, instance_id):
    """Returns the task of the lines that docs/service.md shows, as it was before its deletion."""
    # docs: begin
    credentials = BasicCredentials(ak, sk, project_id)
    client = DcsClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()
    task = client.create_bigkey_scan_task(CreateBigkeyScanTaskRequest(instance_id=instance_id))
    show = ShowBigkeyScanTaskDetailsRequest(instance_id=instance_id, bigkey_id=task.id)
    while task.status in ("waiting", "running"):
        time.sleep(0.2)
        task = client.show_bigkey_scan_task_details(show)
    client.delete_bigkey_scan_task(DeleteBigkeyScanTaskRequest(instance_id=instance_id, bigkey_id=task.id))
    # docs: end
    return task


def call(name, method, request):
    try:
        answer = method(request)
    except ServiceResponseException as error:
        said = {"error_code": error.error_code, "error_msg": error.error_msg, "request_id": error.request_id}
        print(json.dumps({"call": name, "status": error.status_code, **said}), flush=True)
        return None
    print(json.dumps({"call": name, "status": answer.status_code, "answer": answer.to_dict()}), flush=True)
    return answer


def main():
    endpoint, project_id, instance, single = sys.argv[1:]
    ak, sk = os.environ["CLOUD_SDK_AK"], os.environ["CLOUD_SDK_SK"]

    def client(sk):
        credentials = BasicCredentials(ak, sk, project_id)
        return DcsClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()

    def schedule(times):
        body = AutoscanConfigRequest(enable_auto_scan=True, schedule_at=times)
        return UpdateBigkeyAutoscanConfigRequest(instance_id=instance, body=body)

    dcs = client(sk)
    call("show schedule", dcs.show_bigkey_autoscan_config, ShowBigkeyAutoscanConfigRequest(instance_id=instance))
    create = CreateBigkeyScanTaskRequest(instance_id=instance)
    task = call("create", dcs.create_bigkey_scan_task, create)
    call("create again", dcs.create_bigkey_scan_task, create)
    call("list", dcs.list_bigkey_scan_tasks, ListBigkeyScanTasksRequest(instance_id=instance))
    show = ShowBigkeyScanTaskDetailsRequest(instance_id=instance, bigkey_id=task.id)
    while task.status in ("waiting", "running"):
        time.sleep(0.02)
        task = call("show", dcs.show_bigkey_scan_task_details, show)
    page = ListBigkeyScanTasksRequest(instance_id=instance, offset=0, limit=1, status="success")
    call("list a page", dcs.list_bigkey_scan_tasks, page)
    delete = DeleteBigkeyScanTaskRequest(instance_id=instance, bigkey_id=task.id)
    call("delete", dcs.delete_bigkey_scan_task, delete)
    call("delete again", dcs.delete_bigkey_scan_task, delete)
    call("show deleted", dcs.show_bigkey_scan_task_details, show)
    call("update schedule", dcs.update_bigkey_autoscan_config, schedule(["21:00"]))
    call("show updated schedule", dcs.show_bigkey_autoscan_config, ShowBigkeyAutoscanConfigRequest(instance_id=instance))
    call("update schedule wrongly", dcs.update_bigkey_autoscan_config, schedule(["25:00"]))
    call("list an empty page", dcs.list_bigkey_scan_tasks, ListBigkeyScanTasksRequest(instance_id=instance, limit=0))
    malformed = ShowBigkeyScanTaskDetailsRequest(instance_id=instance, bigkey_id="no.id")
    call("show a malformed ID", dcs.show_bigkey_scan_task_details, malformed)
    call("unknown instance", dcs.create_bigkey_scan_task, CreateBigkeyScanTaskRequest(instance_id="nobodys"))
    call("instance of others", dcs.create_bigkey_scan_task, CreateBigkeyScanTaskRequest(instance_id="anothers"))
    call("wrong secret", client("wrong").create_bigkey_scan_task, create)
    documented = document(endpoint, ak, sk, project_id, single)
    print(json.dumps({"call": "documented", "answer": documented.to_dict()}), flush=True)


main()
