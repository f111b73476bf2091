import com.huaweicloud.sdk.core.SdkResponse;
import com.huaweicloud.sdk.core.auth.BasicCredentials;
import com.huaweicloud.sdk.core.auth.ICredential;
import com.huaweicloud.sdk.core.exception.ServiceResponseException;
import com.huaweicloud.sdk.core.utils.JsonUtils;
import com.huaweicloud.sdk.dcs.v2.DcsClient;
import com.huaweicloud.sdk.dcs.v2.model.*;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * A big key analysis task's whole life by the cloud's Java client, as code for the cloud has it: only the endpoint differs.
 *
 * <p>{@code Client ENDPOINT PROJECT INSTANCE SINGLE_INSTANCE} with the access key in CLOUD_SDK_AK and CLOUD_SDK_SK prints a JSON
 * object per call: its name, the HTTP status, and what the client parsed.
 */
public class Client {
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    /** Returns the task of the lines that docs/service.md shows, as it was before its deletion. */
    private static ShowBigkeyScanTaskDetailsResponse document(
            String endpoint, String ak, String sk, String projectId, String instanceId) throws InterruptedException {
        // docs: begin
        ICredential auth = new BasicCredentials().withProjectId(projectId).withAk(ak).withSk(sk);
        DcsClient client = DcsClient.newBuilder().withCredential(auth).withEndpoints(List.of(endpoint)).build();
        CreateBigkeyScanTaskRequest create = new CreateBigkeyScanTaskRequest().withInstanceId(instanceId);
        String id = client.createBigkeyScanTask(create).getId();
        ShowBigkeyScanTaskDetailsRequest show = new ShowBigkeyScanTaskDetailsRequest().withInstanceId(instanceId).withBigkeyId(id);
        ShowBigkeyScanTaskDetailsResponse task = client.showBigkeyScanTaskDetails(show);
        while (Set.of("waiting", "running").contains(task.getStatus().getValue())) {
            Thread.sleep(200);
            task = client.showBigkeyScanTaskDetails(show);
        }
        client.deleteBigkeyScanTask(new DeleteBigkeyScanTaskRequest().withInstanceId(instanceId).withBigkeyId(id));
        // docs: end
        return task;
    }

    private static void say(String name, Map<String, Object> members) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("call", name);
        line.putAll(members);
        OUT.println(JsonUtils.toJSON(line));
    }

    /** Says what came of a call, and returns the answer, or null where it was refused. */
    private static <R, A extends SdkResponse> A call(String name, Function<R, A> method, R request) {
        try {
            A answer = method.apply(request);
            say(name, Map.of("status", answer.getHttpStatusCode(), "answer", answer));
            return answer;
        } catch (ServiceResponseException e) {
            say(name, Map.of("status", e.getHttpStatusCode(), "error_code", e.getErrorCode(),
                    "error_msg", e.getErrorMsg(), "request_id", e.getRequestId()));
            return null;
        }
    }

    public static void main(String[] args) throws InterruptedException {
        String endpoint = args[0], projectId = args[1], instance = args[2], single = args[3];
        String ak = System.getenv("CLOUD_SDK_AK"), sk = System.getenv("CLOUD_SDK_SK");
        Function<String, DcsClient> client = secret -> {
            ICredential auth = new BasicCredentials().withProjectId(projectId).withAk(ak).withSk(secret);
            return DcsClient.newBuilder().withCredential(auth).withEndpoints(List.of(endpoint)).build();
        };
        Function<String, UpdateBigkeyAutoscanConfigRequest> schedule = time -> new UpdateBigkeyAutoscanConfigRequest()
                .withInstanceId(instance)
                .withBody(body -> body.withEnableAutoScan(true).addScheduleAtItem(time));

        DcsClient dcs = client.apply(sk);
        ShowBigkeyAutoscanConfigRequest showSchedule = new ShowBigkeyAutoscanConfigRequest().withInstanceId(instance);
        call("show schedule", dcs::showBigkeyAutoscanConfig, showSchedule);
        CreateBigkeyScanTaskRequest create = new CreateBigkeyScanTaskRequest().withInstanceId(instance);
        String id = call("create", dcs::createBigkeyScanTask, create).getId();
        call("create again", dcs::createBigkeyScanTask, create);
        call("list", dcs::listBigkeyScanTasks, new ListBigkeyScanTasksRequest().withInstanceId(instance));
        ShowBigkeyScanTaskDetailsRequest show =
                new ShowBigkeyScanTaskDetailsRequest().withInstanceId(instance).withBigkeyId(id);
        while (Set.of("waiting", "running").contains(
                call("show", dcs::showBigkeyScanTaskDetails, show).getStatus().getValue())) {
            Thread.sleep(20);
        }
        call("list a page", dcs::listBigkeyScanTasks, new ListBigkeyScanTasksRequest().withInstanceId(instance)
                .withOffset(0).withLimit(1).withStatus(ListBigkeyScanTasksRequest.StatusEnum.SUCCESS));
        DeleteBigkeyScanTaskRequest delete = new DeleteBigkeyScanTaskRequest().withInstanceId(instance).withBigkeyId(id);
        call("delete", dcs::deleteBigkeyScanTask, delete);
        call("delete again", dcs::deleteBigkeyScanTask, delete);
        call("show deleted", dcs::showBigkeyScanTaskDetails, show);
        call("update schedule", dcs::updateBigkeyAutoscanConfig, schedule.apply("21:00"));
        call("show updated schedule", dcs::showBigkeyAutoscanConfig, showSchedule);
        call("update schedule wrongly", dcs::updateBigkeyAutoscanConfig, schedule.apply("25:00"));
        call("list an empty page", dcs::listBigkeyScanTasks,
                new ListBigkeyScanTasksRequest().withInstanceId(instance).withLimit(0));
        call("show a malformed ID", dcs::showBigkeyScanTaskDetails,
                new ShowBigkeyScanTaskDetailsRequest().withInstanceId(instance).withBigkeyId("no.id"));
        call("unknown instance", dcs::createBigkeyScanTask, new CreateBigkeyScanTaskRequest().withInstanceId("nobodys"));
        call("instance of others", dcs::createBigkeyScanTask, new CreateBigkeyScanTaskRequest().withInstanceId("anothers"));
        call("wrong secret", client.apply("wrong")::createBigkeyScanTask, create);
        say("documented", Map.of("answer", document(endpoint, ak, sk, projectId, single)));
    }
}
