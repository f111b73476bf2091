//! The API's description as an OpenAPI document. It stands committed beside this file, for who reads the repository; a
//! test holds the two equal, and `BLESS=1 cargo test --lib openapi` writes it anew.

use serde_json::{Map, Value, json};

use super::config::Limits;
use crate::task::{Status, TASKS_KEPT};

/// The document, with the version of this program.
pub fn document() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "bigkeys",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Big key, hot key, expired key and offline key analyses over dumps of Redis and Valkey.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The service that serves this document"}],
        "security": [{"token": []}, {"signature": []}],
        "paths": paths(),
        "components": {"schemas": schemas(), "parameters": parameters(), "securitySchemes": security()},
    })
}

fn paths() -> Value {
    let all = [key_tasks().to_vec(), expired_key_scans().to_vec(), offline_analyses().to_vec(), others().to_vec()];
    Value::Object(all.into_iter().flatten().collect())
}

/// A path of an instance, and its operations.
fn of_instance(path: &str, operations: Value) -> (String, Value) {
    (format!("/v2/{{project_id}}/instances/{{instance_id}}{path}"), operations)
}

/// What the path of an instance names.
const INSTANCE: [&str; 2] = ["project_id", "instance_id"];

/// The path and the query of a list.
const PAGE: [&str; 5] = ["project_id", "instance_id", "offset", "limit", "status"];

/// What the path of a task names that is not one of big or hot keys.
const TASK: [&str; 3] = ["project_id", "instance_id", "task_id"];

/// The tasks of big and of hot keys.
fn key_tasks() -> [(String, Value); 10] {
    let bigkey = ["project_id", "instance_id", "bigkey_id"];
    let hotkey = ["project_id", "instance_id", "hotkey_id"];
    let page = ["project_id", "instance_id", "offset", "limit", "status", "details"];
    let detailed_bigkey = ["project_id", "instance_id", "bigkey_id", "details"];
    let detailed_hotkey = ["project_id", "instance_id", "hotkey_id", "details"];
    [
        of_instance(
            "/bigkey-task",
            json!({"post": operation("CreateBigkeyScanTask", "Create a big key analysis task", &INSTANCE, None, "Task")}),
        ),
        of_instance(
            "/bigkey-tasks",
            json!({"get": operation("ListBigkeyScanTasks", "List big key analysis tasks, newest first", &page, None, "TaskList")}),
        ),
        of_instance(
            "/bigkey-task/{bigkey_id}",
            json!({
                "get": operation("ShowBigkeyScanTaskDetails", "Show a big key analysis task", &detailed_bigkey, None, "Task"),
                "delete": with_204(operation(
                    "DeleteBigkeyScanTask", "Delete a big key analysis task", &bigkey, None, "Task"
                )),
            }),
        ),
        of_instance(
            "/bigkey-task/{bigkey_id}/cancel",
            json!({"post": extension(operation("CancelBigkeyScanTask", "Cancel a big key analysis task", &bigkey, None, "Task"))}),
        ),
        of_instance(
            "/bigkey/autoscan",
            json!({
                "get": operation("ShowBigkeyAutoscanConfig", "Show when automatic analyses run", &INSTANCE, None, "Autoscan"),
                "put": operation(
                    "UpdateBigkeyAutoscanConfig", "Set when automatic analyses run", &INSTANCE, Some("AutoscanRequest"), "Autoscan"
                ),
            }),
        ),
        of_instance(
            "/hotkey-task",
            json!({"post": operation("CreateHotkeyScanTask", "Create a hot key analysis task", &INSTANCE, None, "Task")}),
        ),
        of_instance(
            "/hotkey-tasks",
            json!({"get": operation("ListHotKeyScanTasks", "List hot key analysis tasks, newest first", &page, None, "TaskList")}),
        ),
        of_instance(
            "/hotkey-task/{hotkey_id}",
            json!({
                "get": operation("ShowHotkeyTaskDetails", "Show a hot key analysis task", &detailed_hotkey, None, "Task"),
                "delete": with_204(operation(
                    "DeleteHotkeyScanTask", "Delete a hot key analysis task", &hotkey, None, "Task"
                )),
            }),
        ),
        of_instance(
            "/hotkey-task/{hotkey_id}/cancel",
            json!({"post": extension(operation("CancelHotkeyScanTask", "Cancel a hot key analysis task", &hotkey, None, "Task"))}),
        ),
        of_instance(
            "/hotkey/autoscan",
            json!({
                "get": operation("ShowHotkeyAutoscanConfig", "Show when automatic hot key analyses run", &INSTANCE, None, "Autoscan"),
                "put": operation(
                    "UpdateHotkeyAutoScanConfig", "Set when automatic hot key analyses run", &INSTANCE, Some("AutoscanRequest"), "Autoscan"
                ),
            }),
        ),
    ]
}

fn expired_key_scans() -> [(String, Value); 5] {
    let detailed = ["project_id", "instance_id", "task_id", "details"];
    [
        of_instance(
            "/scan-expire-keys-task",
            json!({"post": operation("CreateAutoExpireScanTask", "Look for expired keys", &INSTANCE, None, "ExpiredScan")}),
        ),
        of_instance(
            "/auto-expire/scan",
            json!({"post": operation("ScanExpireKey", "Look for expired keys, by the older path", &INSTANCE, None, "ExpiredScan")}),
        ),
        of_instance(
            "/auto-expire/histories",
            json!({"get": operation("ShowExpireKeyScanInfo", "List expired key scans, newest first", &PAGE, None, "ExpiredScans")}),
        ),
        of_instance(
            "/scan-expire-keys-task/{task_id}",
            json!({
                "get": extension(operation("ShowExpireKeyScan", "Show what an expired key scan found", &detailed, None, "Task")),
                "delete": extension(operation("DeleteExpireKeyScan", "Delete an expired key scan", &TASK, None, "Task")),
            }),
        ),
        of_instance(
            "/scan-expire-keys-task/{task_id}/cancel",
            json!({"post": extension(operation("CancelExpireKeyScan", "Cancel an expired key scan", &TASK, None, "Task"))}),
        ),
    ]
}

fn offline_analyses() -> [(String, Value); 4] {
    [
        of_instance(
            "/offline/key-analysis",
            json!({
                "post": operation(
                    "CreateOfflineKeyAnalysis", "Analyze the keys of a node's backup", &INSTANCE, Some("OfflineRequest"), "OfflineTask"
                ),
                "get": operation(
                    "ListOfflineKeyAnalysisTask", "List offline key analyses, newest first", &PAGE, None, "OfflineList"
                ),
            }),
        ),
        of_instance(
            "/offline/key-analysis/{task_id}",
            json!({
                "get": operation("ShowOfflineKeyAnalysisTask", "Show what an analysis found", &TASK, None, "OfflineReport"),
                "delete": operation("DeleteOfflineKeyAnalysisTask", "Delete an offline key analysis", &TASK, None, "OfflineTask"),
            }),
        ),
        of_instance(
            "/offline/key-analysis/{task_id}/cancel",
            json!({"post": extension(operation(
                "CancelOfflineKeyAnalysis", "Cancel an offline key analysis", &TASK, None, "OfflineTask"
            ))}),
        ),
        of_instance(
            "/offline/key-analysis/{task_id}/nodes",
            json!({"get": operation(
                "ListOfflineKeyAnalysisNodes", "List the nodes of an offline key analysis", &TASK, None, "Nodes"
            )}),
        ),
    ]
}

/// Instances and backups, and what needs no credentials.
fn others() -> [(String, Value); 8] {
    [
        (
            "/v2/{project_id}/instances".to_owned(),
            json!({"get": operation("ListInstances", "List the project's instances", &["project_id"], None, "Instances")}),
        ),
        of_instance("", json!({"get": operation("ShowInstance", "Show an instance", &INSTANCE, None, "Instance")})),
        of_instance(
            "/backups",
            json!({"get": operation("ListBackupRecords", "List the newest backup of each node", &INSTANCE, None, "Backups")}),
        ),
        ("/healthz".to_owned(), json!({"get": open("Health", "Whether the service answers", &schema("Live"))})),
        ("/livez".to_owned(), json!({"get": open("Live", "Whether the service answers", &schema("Live"))})),
        ("/readyz".to_owned(), json!({"get": ready()})),
        ("/metrics".to_owned(), json!({"get": metrics()})),
        ("/openapi.json".to_owned(), json!({"get": open("Document", "This document", &json!({"type": "object"}))})),
    ]
}

fn operation(id: &str, summary: &str, parameters: &[&str], body: Option<&str>, answer: &str) -> Value {
    let refer = |name: &&str| json!({"$ref": format!("#/components/parameters/{name}")});
    let mut operation = json!({
        "operationId": id,
        "summary": summary,
        "parameters": parameters.iter().map(refer).collect::<Vec<_>>(),
        "responses": responses(&schema(answer), &[
            (400, "The request is not understood, or not possible now"),
            (401, "No credentials, or wrong ones"),
            (403, "The project is not the caller's, or not the instance's"),
            (404, "There is no such instance"),
            (405, "The path has no such method"),
            (413, "The body is too large"),
            (429, "Too many wrong credentials came from the client's address"),
        ]),
    });
    if let (Some(body), Some(operation)) = (body, operation.as_object_mut()) {
        let content = json!({"required": true, "content": {"application/json": {"schema": schema(body)}}});
        operation.insert("requestBody".to_owned(), content);
    }
    operation
}

/// An operation that is not of the published API.
fn extension(mut operation: Value) -> Value {
    if let Some(operation) = operation.as_object_mut() {
        operation.insert("x-bigkeys-extension".to_owned(), Value::Bool(true));
    }
    operation
}

/// An operation with an answer that is published, although this service always gives the other one.
fn with_204(mut operation: Value) -> Value {
    if let Some(responses) = operation.pointer_mut("/responses").and_then(Value::as_object_mut) {
        responses.insert("204".to_owned(), json!({"description": "Published; this service answers with the task"}));
    }
    operation
}

/// An operation that needs no credentials.
fn open(id: &str, summary: &str, answer: &Value) -> Value {
    json!({"operationId": id, "summary": summary, "security": [], "responses": responses(answer, &[])})
}

/// The probe whose refusal has a body of its own.
fn ready() -> Value {
    let mut operation = open("Ready", "Whether the service can do its work", &schema("Readiness"));
    if let Some(schema_of_503) = operation.pointer_mut("/responses/503/content/application~1json/schema") {
        *schema_of_503 = json!({"anyOf": [schema("Readiness"), schema("Error")]});
    }
    operation
}

/// The one answer that is not JSON.
fn metrics() -> Value {
    let mut operation = open("Metrics", "The service's numbers, for Prometheus", &json!({}));
    if let Some(content) = operation.pointer_mut("/responses/200/content") {
        *content = json!({"text/plain": {"schema": {"type": "string"}}});
    }
    operation
}

fn responses(answer: &Value, refusals: &[(u16, &str)]) -> Value {
    let headers = json!({"X-Request-Id": {
        "description": "The request's ID, as the log has it", "required": true, "schema": {"type": "string"}
    }});
    let response = |description: &str, schema: &Value| {
        let content = json!({"application/json": {"schema": schema}});
        json!({"description": description, "headers": headers, "content": content})
    };
    let every = [(500, "The service failed"), (503, "Too many requests at once, or this one took too long")];
    let mut responses = Map::from_iter([("200".to_owned(), response("Done", answer))]);
    for (status, description) in refusals.iter().chain(&every) {
        responses.insert(status.to_string(), response(description, &schema("Error")));
    }
    Value::Object(responses)
}

fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn object(required: &[&str], properties: &Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

fn schemas() -> Value {
    let all = [schemas_of_key_tasks(), other_schemas()].into_iter().filter_map(|schemas| schemas.as_object().cloned());
    Value::Object(all.flatten().collect())
}

fn text() -> Value {
    json!({"type": "string"})
}

fn count() -> Value {
    json!({"type": "integer", "format": "int64", "minimum": 0})
}

/// How many tasks there are of a kind.
fn kept() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": TASKS_KEPT})
}

fn moment() -> Value {
    json!({"type": "string", "format": "date-time", "example": "2020-06-15T02:21:18.669Z"})
}

fn status() -> Value {
    json!({"type": "string", "enum": Status::ALL.map(Status::name)})
}

fn array(item: &str) -> Value {
    json!({"type": "array", "items": schema(item)})
}

fn schemas_of_key_tasks() -> Value {
    let (text, count, kept, moment, status) = (text(), count(), kept(), moment(), status());
    let scan_type = json!({"type": "string", "enum": ["manual", "auto"]});
    let times = json!({"type": "array", "items": {"type": "string", "pattern": TIME_PATTERN}, "uniqueItems": true});
    json!({
        "Task": object(&["id", "instance_id", "status", "scan_type", "created_at", "num"], &json!({
            "id": text, "instance_id": text, "status": status, "scan_type": scan_type, "created_at": moment,
            "started_at": moment, "finished_at": moment, "num": count, "keys": array("Key"), "details": schema("Details"),
        })),
        "Details": extension(object(&["dumps"], &json!({
            "reason": {"type": "string", "description": "Why the task failed"},
            "progress": object(&["done_bytes", "keys"], &json!({"done_bytes": count, "total_bytes": count, "keys": count})),
            "dumps": {"type": "array", "items": object(&["name"], &json!({
                "name": text, "shard": text, "written_at": moment,
            }))},
        }))),
        "Key": object(&["name", "type", "db", "size", "unit"], &json!({
            "name": text,
            "name_base64": {"type": "string", "format": "byte", "description": "Only where the name is not UTF-8"},
            "type": {"type": "string", "enum": ["string", "list", "set", "zset", "hash"]},
            "shard": {"type": "string", "description": "ip:port, only for clusters"},
            "db": count, "size": count, "unit": {"type": "string", "enum": ["byte", "count"]},
            "freq": {"type": "integer", "minimum": 0, "maximum": 255, "description": "Only for hot keys: the LFU counter"},
        })),
        "TaskList": object(&["instance_id", "count", "records"], &json!({
            "instance_id": text, "count": kept, "records": array("TaskRecord"),
        })),
        "TaskRecord": object(&["id", "status", "scan_type", "created_at"], &json!({
            "id": text, "status": status, "scan_type": scan_type, "created_at": moment, "started_at": moment,
            "finished_at": moment, "details": schema("Details"),
        })),
        "ExpiredScan": object(&["id", "instance_id", "status", "scan_type", "created_at"], &json!({
            "id": text, "instance_id": text, "status": status, "scan_type": scan_type, "created_at": moment,
            "started_at": moment, "finished_at": moment,
            "num": {"type": "integer", "format": "int64", "minimum": 0, "description": "How many keys had expired; only in the list"},
        })),
        "ExpiredScans": object(&["instance_id", "total", "count", "records"], &json!({
            "instance_id": text, "total": kept, "count": kept, "records": array("ExpiredScan"),
        })),
        "Autoscan": object(&["instance_id", "enable_auto_scan", "schedule_at"], &json!({
            "instance_id": text, "enable_auto_scan": {"type": "boolean"}, "schedule_at": times, "updated_at": moment,
        })),
        "AutoscanRequest": {"type": "object", "required": ["enable_auto_scan", "schedule_at"], "properties": {
            "enable_auto_scan": {"type": "boolean"}, "schedule_at": times,
        }},
    })
}

fn other_schemas() -> Value {
    let (text, count, kept, moment, status) = (text(), count(), kept(), moment(), status());
    json!({
        "OfflineRequest": {"type": "object", "required": ["node_id"], "properties": {
            "node_id": {"type": "string", "description": "A shard's ip:port; for a single instance its ID"},
            "backup_id": {"type": "string", "description": "A dump's file name; without it the newest dump"},
        }},
        "OfflineTask": object(&["task_id"], &json!({"task_id": text})),
        "OfflineList": object(&["instance_id", "total", "records"], &json!({
            "instance_id": text, "total": kept, "records": array("OfflineRecord"),
        })),
        "OfflineRecord": object(&["id", "status", "created_at"], &json!({
            "id": text, "status": status, "created_at": moment, "started_at": moment, "finished_at": moment,
        })),
        "Nodes": object(&["nodes"], &json!({"nodes": {"type": "array", "items": object(&["id", "name"], &json!({
            "id": text, "name": text, "group_name": text,
        }))}})),
        "Instances": object(&["instance_num", "instances"], &json!({
            "instance_num": count, "instances": array("Instance"),
        })),
        "Instance": object(&["instance_id", "name", "engine", "status", "cache_mode", "sharding_count"], &json!({
            "instance_id": text, "name": text, "engine": {"type": "string", "enum": ["Redis"]},
            "status": {"type": "string", "enum": ["RUNNING"]},
            "cache_mode": {"type": "string", "enum": ["single", "cluster"]}, "sharding_count": count,
        })),
        "Backups": object(&["total_num", "backup_record_response"], &json!({
            "total_num": count, "backup_record_response": array("Backup"),
        })),
        "Backup": object(
            &["backup_id", "backup_name", "instance_id", "size", "backup_type", "backup_format", "status", "created_at"],
            &json!({
                "backup_id": text, "backup_name": text, "instance_id": text, "size": count, "backup_type": text,
                "backup_format": text, "status": text, "created_at": moment, "updated_at": moment,
            }),
        ),
        "OfflineReport": object(&["id", "instance_id", "node_id", "analysis_type"], &json!({
            "id": text, "instance_id": text, "node_id": text, "backup_id": text, "group_name": text, "node_ip": text,
            "analysis_type": {"type": "string", "enum": ["old_backup"]}, "started_at": moment, "finished_at": moment,
            "total_bytes": count, "total_num": count,
            "type_bytes": {"type": "array", "items": object(&["type", "bytes"], &json!({"type": text, "bytes": count}))},
            "type_num": {"type": "array", "items": object(&["type", "num"], &json!({"type": text, "num": count}))},
            "largest_keys": {"type": "array", "items": object(&["key", "type", "bytes", "num_of_elem"], &json!({
                "key": text, "key_base64": text, "type": text, "bytes": count, "num_of_elem": count,
            }))},
            "largest_key_prefixes": {"type": "array", "items": object(&["key_prefix", "type", "bytes", "num"], &json!({
                "key_prefix": text, "key_prefix_base64": text, "type": text, "bytes": count, "num": count,
            }))},
        })),
        "Live": object(&["status"], &json!({"status": {"type": "string", "enum": ["ok"]}})),
        "Readiness": object(&["status", "store", "workers_alive", "workers", "free_bytes"], &json!({
            "status": {"type": "string", "enum": ["ready", "not ready"]},
            "store": {"type": "string", "description": "`writable`, or why it is not"},
            "workers_alive": count, "workers": count,
            "free_bytes": {"type": "integer", "format": "int64", "minimum": 0, "description": "On the store's disk"},
        })),
        "Error": object(&["error_code", "error_msg"], &json!({
            "error_code": text, "error_msg": text, "request_id": text,
        })),
    })
}

/// A minute of the day.
const TIME_PATTERN: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$";

fn parameters() -> Value {
    let in_path = |name: &str, what: &str| {
        let schema = json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"});
        json!({"name": name, "in": "path", "required": true, "description": what, "schema": schema})
    };
    let in_query = |name: &str, what: &str, schema: &Value| json!({"name": name, "in": "query", "required": false, "description": what, "schema": schema});
    json!({
        "project_id": in_path("project_id", "The project's ID"),
        "instance_id": in_path("instance_id", "The instance's ID"),
        "bigkey_id": in_path("bigkey_id", "The task's ID"),
        "hotkey_id": in_path("hotkey_id", "The task's ID"),
        "task_id": in_path("task_id", "The task's ID"),
        "offset": in_query("offset", "How many of the newest are passed over", &json!({
            "type": "integer", "format": "int64", "minimum": 0, "default": 0,
        })),
        "limit": in_query("limit", "How many are listed", &json!({
            "type": "integer", "minimum": 1, "maximum": 1000, "default": 10,
        })),
        "details": extension(in_query("details", "Whether tasks come with `details`", &json!({
            "type": "string", "enum": ["true", "false"], "default": "false",
        }))),
        "status": in_query("status", "Only tasks in this state", &json!({
            "type": "string", "enum": Status::ALL.map(Status::name),
        })),
    })
}

fn security() -> Value {
    let bytes = Limits::default().body_bytes;
    let signed = format!("SDK-HMAC-SHA256, over a body of at most {bytes} bytes unless configured otherwise");
    json!({
        "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
        "signature": {"type": "apiKey", "in": "header", "name": "Authorization", "description": signed},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/openapi.json");
        let mut text = serde_json::to_string_pretty(&document()).unwrap();
        text.push('\n');
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text, "BLESS=1 writes it anew");
    }
}
