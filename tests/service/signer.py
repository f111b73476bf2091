"""Signs the requests of a JSON array by the cloud's own signer, and writes what it would send."""

import json
import sys

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

signer = Signer(BasicCredentials("AK", "SECRET", "project"))
canonical = None
process = signer._process_canonical_request


def remember(request, signed_headers):
    global canonical
    canonical = process(request, signed_headers)
    return canonical


signer._process_canonical_request = remember
answers = []
for asked in json.load(sys.stdin):
    headers = dict(map(tuple, asked["headers"]))
    headers["Content-Type"] = "application/json"
    request = SdkRequest(
        method=asked["method"], schema="http", host="127.0.0.1:8080", resource_path=asked["path"],
        query_params=list(map(tuple, asked["query"])), header_params=headers, body=asked["body"], stream=False,
    )
    signed = signer.sign(request)
    query = signed.uri.partition("?")[2]
    answers.append({"query": query, "headers": signed.header_params, "canonical": canonical})
json.dump(answers, sys.stdout)
