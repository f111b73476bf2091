// A big key analysis task's whole life by the cloud's Go client, as code for the cloud has it: only the endpoint differs.
//
// `client ENDPOINT PROJECT INSTANCE SINGLE_INSTANCE` with the access key in CLOUD_SDK_AK and CLOUD_SDK_SK prints a JSON object
// per call: its name, the HTTP status, and what the client parsed.
package main

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	dcs "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dcs/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dcs/v2/model"
)

type line struct {
	Call      string      `json:"call"`
	Status    int         `json:"status,omitempty"`
	ErrorCode string      `json:"error_code,omitempty"`
	ErrorMsg  string      `json:"error_msg,omitempty"`
	RequestId string      `json:"request_id,omitempty"`
	Answer    interface{} `json:"answer,omitempty"`
}

// document returns the task of the lines that docs/service.md shows, as it was before its deletion.
func document(endpoint, ak, sk, projectId, instanceId string) (*model.ShowBigkeyScanTaskDetailsResponse, error) {
	// docs: begin
	auth := basic.NewCredentialsBuilder().WithAk(ak).WithSk(sk).WithProjectId(projectId).Build()
	client := dcs.NewDcsClient(dcs.DcsClientBuilder().WithEndpoint(endpoint).WithCredential(auth).Build())
	created, err := client.CreateBigkeyScanTask(&model.CreateBigkeyScanTaskRequest{InstanceId: instanceId})
	if err != nil {
		return nil, err
	}
	show := &model.ShowBigkeyScanTaskDetailsRequest{InstanceId: instanceId, BigkeyId: *created.Id}
	task, err := client.ShowBigkeyScanTaskDetails(show)
	for err == nil && (task.Status.Value() == "waiting" || task.Status.Value() == "running") {
		time.Sleep(200 * time.Millisecond)
		task, err = client.ShowBigkeyScanTaskDetails(show)
	}
	if err != nil {
		return nil, err
	}
	_, err = client.DeleteBigkeyScanTask(&model.DeleteBigkeyScanTaskRequest{InstanceId: instanceId, BigkeyId: *created.Id})
	// docs: end
	return task, err
}

func say(line line) {
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		panic(err)
	}
}

// call says what came of a call, and returns the answer, or nil where it was refused.
func call[Request, Answer any](name string, method func(*Request) (*Answer, error), request *Request) *Answer {
	answer, err := method(request)
	var refused *sdkerr.ServiceResponseError
	if errors.As(err, &refused) {
		say(line{Call: name, Status: refused.StatusCode, ErrorCode: refused.ErrorCode,
			ErrorMsg: refused.ErrorMessage, RequestId: refused.RequestId})
		return nil
	}
	if err != nil {
		panic(err)
	}
	// Every answer of the client has this field, and no interface for it.
	status := reflect.ValueOf(answer).Elem().FieldByName("HttpStatusCode").Int()
	say(line{Call: name, Status: int(status), Answer: answer})
	return answer
}

func main() {
	endpoint, projectId, instance, single := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	ak, sk := os.Getenv("CLOUD_SDK_AK"), os.Getenv("CLOUD_SDK_SK")
	client := func(sk string) *dcs.DcsClient {
		auth := basic.NewCredentialsBuilder().WithAk(ak).WithSk(sk).WithProjectId(projectId).Build()
		return dcs.NewDcsClient(dcs.DcsClientBuilder().WithEndpoint(endpoint).WithCredential(auth).Build())
	}
	schedule := func(times ...string) *model.UpdateBigkeyAutoscanConfigRequest {
		body := &model.AutoscanConfigRequest{EnableAutoScan: true, ScheduleAt: times}
		return &model.UpdateBigkeyAutoscanConfigRequest{InstanceId: instance, Body: body}
	}
	number := func(number int32) *int32 { return &number }

	api := client(sk)
	showSchedule := &model.ShowBigkeyAutoscanConfigRequest{InstanceId: instance}
	call("show schedule", api.ShowBigkeyAutoscanConfig, showSchedule)
	create := &model.CreateBigkeyScanTaskRequest{InstanceId: instance}
	created := call("create", api.CreateBigkeyScanTask, create)
	call("create again", api.CreateBigkeyScanTask, create)
	call("list", api.ListBigkeyScanTasks, &model.ListBigkeyScanTasksRequest{InstanceId: instance})
	show := &model.ShowBigkeyScanTaskDetailsRequest{InstanceId: instance, BigkeyId: *created.Id}
	for status := created.Status.Value(); status == "waiting" || status == "running"; {
		time.Sleep(20 * time.Millisecond)
		status = call("show", api.ShowBigkeyScanTaskDetails, show).Status.Value()
	}
	success := model.GetListBigkeyScanTasksRequestStatusEnum().SUCCESS
	page := &model.ListBigkeyScanTasksRequest{InstanceId: instance, Offset: number(0), Limit: number(1), Status: &success}
	call("list a page", api.ListBigkeyScanTasks, page)
	remove := &model.DeleteBigkeyScanTaskRequest{InstanceId: instance, BigkeyId: *created.Id}
	call("delete", api.DeleteBigkeyScanTask, remove)
	call("delete again", api.DeleteBigkeyScanTask, remove)
	call("show deleted", api.ShowBigkeyScanTaskDetails, show)
	call("update schedule", api.UpdateBigkeyAutoscanConfig, schedule("21:00"))
	call("show updated schedule", api.ShowBigkeyAutoscanConfig, showSchedule)
	call("update schedule wrongly", api.UpdateBigkeyAutoscanConfig, schedule("25:00"))
	empty := &model.ListBigkeyScanTasksRequest{InstanceId: instance, Limit: number(0)}
	call("list an empty page", api.ListBigkeyScanTasks, empty)
	malformed := &model.ShowBigkeyScanTaskDetailsRequest{InstanceId: instance, BigkeyId: "no.id"}
	call("show a malformed ID", api.ShowBigkeyScanTaskDetails, malformed)
	call("unknown instance", api.CreateBigkeyScanTask, &model.CreateBigkeyScanTaskRequest{InstanceId: "nobodys"})
	call("instance of others", api.CreateBigkeyScanTask, &model.CreateBigkeyScanTaskRequest{InstanceId: "anothers"})
	call("wrong secret", client("wrong").CreateBigkeyScanTask, create)
	documented, err := document(endpoint, ak, sk, projectId, single)
	if err != nil {
		panic(err)
	}
	say(line{Call: "documented", Answer: documented})
}
