"""The cloud's own Python client against a running service: each call of a task's life, and each way to be refused."""

import json
import sys
import time

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.signer import signer
from huaweicloudsdkdcs.v2 import *

endpoint, project, cluster, single, analyzed_cluster, analyzed_single = sys.argv[1:]


def client(ak="AK", sk="SK", project_id=project):
    credentials = BasicCredentials(ak, sk, project_id)
    return DcsClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()


dcs = client()


def refused(status, code, call, request):
    try:
        answer = call(request)
    except ClientRequestException as error:
        found = (error.status_code, error.error_code)
        assert found == (status, code), f"{found} is not {(status, code)}: {error.error_msg}"
        assert len(error.request_id) == 32, error.request_id
        return
    raise AssertionError(f"not refused: {answer}")


def next_second():
    """The client's clock has seconds: two equal calls in one have one signature, which is good for one change."""
    time.sleep(1.001 - time.time() % 1)


def ended(instance, task_id):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        request = ShowBigkeyScanTaskDetailsRequest(instance_id=instance, bigkey_id=task_id)
        task = dcs.show_bigkey_scan_task_details(request)
        assert task.status in ("waiting", "running", "success"), task
        if task.status == "success":
            return task
        time.sleep(0.05)
    raise AssertionError("the task does not end")


def keys_of(task):
    assert task.num == len(task.keys), task.num
    return [
        {name: value for name, value in key.to_dict().items() if value is not None} for key in task.keys
    ]


def stated(text):
    keys = json.loads(text)["keys"]
    for key in keys:
        # The client has no field for it.
        key.pop("name_base64", None)
    return keys


# ---- a task's life

created = dcs.create_bigkey_scan_task(CreateBigkeyScanTaskRequest(instance_id=cluster))
assert (created.status, created.scan_type, created.num) == ("waiting", "manual", 0), created
assert (created.started_at, created.finished_at, created.keys) == (None, None, None), created
task = ended(cluster, created.id)
assert task.instance_id == cluster and task.created_at == created.created_at
assert keys_of(task) == stated(analyzed_cluster), "what `analyze` says of the same dumps"
assert {key.shard for key in task.keys} == {"10.0.0.1:6379", "10.0.0.2:6379"}

alone = dcs.create_bigkey_scan_task(CreateBigkeyScanTaskRequest(instance_id=single))
task = ended(single, alone.id)
assert keys_of(task) == stated(analyzed_single)
assert all(key.shard is None for key in task.keys)
print("a task's life")

# ---- lists

for _ in range(2):
    next_second()
    ended(cluster, dcs.create_bigkey_scan_task(CreateBigkeyScanTaskRequest(instance_id=cluster)).id)
tasks = dcs.list_bigkey_scan_tasks(ListBigkeyScanTasksRequest(instance_id=cluster))
assert tasks.instance_id == cluster and tasks.count == 3, tasks
assert [record.id for record in tasks.records][-1] == created.id, "newest first"
pages = [
    dcs.list_bigkey_scan_tasks(ListBigkeyScanTasksRequest(instance_id=cluster, offset=offset, limit=2, status="success"))
    for offset in (0, 2, 4)
]
assert [page.count for page in pages] == [3, 3, 3]
assert [record.id for page in pages for record in page.records] == [record.id for record in tasks.records]
assert dcs.list_bigkey_scan_tasks(ListBigkeyScanTasksRequest(instance_id=cluster, status="failed")).records == []
assert dcs.list_bigkey_scan_tasks(ListBigkeyScanTasksRequest(instance_id=cluster, status="")).count == 3
for wrong in ({"limit": 0}, {"limit": 1001}, {"offset": -1}, {"status": "done"}, {"limit": "ten"}):
    refused(400, "DCS.4062", dcs.list_bigkey_scan_tasks, ListBigkeyScanTasksRequest(instance_id=cluster, **wrong))
print("lists")

# ---- deletions

delete = DeleteBigkeyScanTaskRequest(instance_id=cluster, bigkey_id=created.id)
deleted = dcs.delete_bigkey_scan_task(delete)
assert (deleted.id, deleted.status) == (created.id, "success") and keys_of(deleted) == stated(analyzed_cluster)
refused(400, "DCS.4942", dcs.delete_bigkey_scan_task, delete)
show = ShowBigkeyScanTaskDetailsRequest(instance_id=cluster, bigkey_id=created.id)
refused(400, "DCS.4942", dcs.show_bigkey_scan_task_details, show)
odd = ShowBigkeyScanTaskDetailsRequest(instance_id=cluster, bigkey_id="a/b c?ü~x")
refused(400, "DCS.4070", dcs.show_bigkey_scan_task_details, odd)
print("deletions")

# ---- schedules

settings = dcs.show_bigkey_autoscan_config(ShowBigkeyAutoscanConfigRequest(instance_id=cluster))
assert (settings.enable_auto_scan, settings.schedule_at, settings.updated_at) == (False, [], None), settings


def update(enabled, times):
    body = AutoscanConfigRequest(enable_auto_scan=enabled, schedule_at=times)
    return UpdateBigkeyAutoscanConfigRequest(instance_id=cluster, body=body)


# Not now: a task that falls due would be in the way of what follows.
later = time.strftime("%H:%M", time.gmtime(time.time() + 12 * 3600))
settings = dcs.update_bigkey_autoscan_config(update(True, [later]))
assert (settings.instance_id, settings.enable_auto_scan, settings.schedule_at) == (cluster, True, [later]), settings
shown = dcs.show_bigkey_autoscan_config(ShowBigkeyAutoscanConfigRequest(instance_id=cluster))
assert shown.to_dict() == settings.to_dict() and settings.updated_at is not None
refused(400, "DCS.4800", dcs.update_bigkey_autoscan_config, update(True, ["25:00"]))
refused(400, "DCS.4800", dcs.update_bigkey_autoscan_config, update(None, [later]))
print("schedules")

# ---- who is refused

tasks = ListBigkeyScanTasksRequest(instance_id=cluster)
refused(401, "APIGW.0301", client(sk="wrong").list_bigkey_scan_tasks, tasks)
refused(401, "APIGW.0301", client(ak="NOBODY").list_bigkey_scan_tasks, tasks)
refused(403, "DCS.2003", client("AK2", "SK2", project).list_bigkey_scan_tasks, tasks)
refused(403, "DCS.2003", client("AK2", "SK2", "another").list_bigkey_scan_tasks, tasks)
refused(403, "DCS.2003", dcs.create_bigkey_scan_task, CreateBigkeyScanTaskRequest(instance_id="anothers"))
refused(404, "DCS.3022", dcs.create_bigkey_scan_task, CreateBigkeyScanTaskRequest(instance_id="nobodys"))
empty = CreateBigkeyScanTaskRequest(instance_id="anothers")
refused(400, "DCS.4919", client("AK2", "SK2", "another").create_bigkey_scan_task, empty)


class Late(signer.datetime):
    @classmethod
    def utcnow(cls):
        return cls.utcfromtimestamp(time.time() - 20 * 60)


real, signer.datetime = signer.datetime, Late
refused(401, "APIGW.0303", dcs.list_bigkey_scan_tasks, tasks)
signer.datetime = real
print("who is refused")

# ---- offline key analyses

body = CreateOfflineKeyAnalysisRequestBody(node_id="10.0.0.2:6379")
created = dcs.create_offline_key_analysis(CreateOfflineKeyAnalysisRequest(instance_id=cluster, body=body))
deadline = time.monotonic() + 60
while True:
    listed = dcs.list_offline_key_analysis_task(ListOfflineKeyAnalysisTaskRequest(instance_id=cluster))
    assert listed.total == 1 and listed.records[0].id == created.task_id
    if listed.records[0].status == "success":
        break
    assert time.monotonic() < deadline and listed.records[0].status in ("waiting", "running")
    time.sleep(0.05)
one = ShowOfflineKeyAnalysisTaskRequest(instance_id=cluster, task_id=created.task_id)
report = dcs.show_offline_key_analysis_task(one)
assert (report.id, report.node_id, report.node_ip) == (created.task_id, "10.0.0.2:6379", "10.0.0.2"), report
assert report.total_num == sum(of_type.num for of_type in report.type_num) > 0
assert report.total_bytes == sum(of_type.bytes for of_type in report.type_bytes) > 0
sizes = [key.bytes for key in report.largest_keys]
assert sizes == sorted(sizes, reverse=True) and sizes
one = DeleteOfflineKeyAnalysisTaskRequest(instance_id=cluster, task_id=created.task_id)
assert dcs.delete_offline_key_analysis_task(one).task_id == created.task_id
refused(400, "DCS.4232", dcs.delete_offline_key_analysis_task, one)
print("offline key analyses")

# ---- hot keys, in another project's instance, whose server had an LFU policy

theirs = client("AK2", "SK2", "another")


def until_success(ask):
    deadline = time.monotonic() + 60
    while (found := ask()).status != "success":
        assert time.monotonic() < deadline and found.status in ("waiting", "running"), found
        time.sleep(0.05)
    return found


refused(400, "DCS.4919", dcs.create_hotkey_scan_task, CreateHotkeyScanTaskRequest(instance_id=single))
created = theirs.create_hotkey_scan_task(CreateHotkeyScanTaskRequest(instance_id="hot"))
assert (created.status, created.scan_type, created.num, created.keys) == ("waiting", "manual", 0, None), created
one = ShowHotkeyTaskDetailsRequest(instance_id="hot", hotkey_id=created.id)
task = until_success(lambda: theirs.show_hotkey_task_details(one))
found = [(key.name, key.type, key.shard, key.db, key.size, key.unit, key.freq) for key in task.keys]
assert found == [("used", "string", None, 0, 1, "byte", 255), ("old", "string", None, 0, 2, "byte", 3)], found
assert task.num == 2
listed = theirs.list_hot_key_scan_tasks(ListHotKeyScanTasksRequest(instance_id="hot", limit=5, status="success"))
assert (listed.instance_id, listed.count, listed.records[0].id) == ("hot", 1, created.id), listed
body = AutoscanConfigRequest(enable_auto_scan=True, schedule_at=[later])
set_ = theirs.update_hotkey_auto_scan_config(UpdateHotkeyAutoScanConfigRequest(instance_id="hot", body=body))
shown = theirs.show_hotkey_autoscan_config(ShowHotkeyAutoscanConfigRequest(instance_id="hot"))
assert shown.to_dict() == set_.to_dict() and shown.schedule_at == [later], shown
gone = DeleteHotkeyScanTaskRequest(instance_id="hot", hotkey_id=created.id)
assert theirs.delete_hotkey_scan_task(gone).keys[0].freq == 255
refused(400, "DCS.4941", theirs.delete_hotkey_scan_task, gone)
refused(400, "DCS.4941", theirs.show_hotkey_task_details, one)
print("hot keys")

# ---- expired keys

created = theirs.create_auto_expire_scan_task(CreateAutoExpireScanTaskRequest(instance_id="hot"))
assert (created.instance_id, created.status, created.scan_type) == ("hot", "waiting", "manual"), created
history = ShowExpireKeyScanInfoRequest(instance_id="hot")
record = until_success(lambda: theirs.show_expire_key_scan_info(history).records[0])
assert (record.id, record.instance_id, record.num) == (created.id, "hot", 1) and record.finished_at, record
again = theirs.scan_expire_key(ScanExpireKeyRequest(instance_id="hot"))
listed = theirs.show_expire_key_scan_info(history)
assert (listed.instance_id, listed.total, listed.count) == ("hot", 2, 2) and listed.records[0].id == again.id, listed
print("expired keys")

print("done")
