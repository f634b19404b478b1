"""A function with a loop of its own that streams what it is told to: pieces, pauses, a missing prelude."""

import http.client
import json
import os
import time

from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

PRELUDE = json.dumps({"statusCode": 201, "headers": {"content-type": "text/plain"}}).encode() + bytes(8)
address = os.environ["AWS_LAMBDA_RUNTIME_API"]
client = LambdaRuntimeClient(address)
while True:
    asked = client.wait_next_invocation()
    script = json.loads(json.loads(asked.event_body)["body"])

    def pieces(script=script):
        if script.get("prelude", True):
            yield PRELUDE
        for piece in script["pieces"]:
            if isinstance(piece, str):
                yield piece.encode()
            else:
                time.sleep(piece)

    connection = http.client.HTTPConnection(address)
    connection.request(
        "POST",
        f"/2018-06-01/runtime/invocation/{asked.invoke_id}/response",
        pieces(),
        {
            "Content-Type": "application/vnd.awslambda.http-integration-response",
            "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Transfer-Encoding": "chunked",
        },
        encode_chunked=True,
    )
    connection.getresponse().read()
    connection.close()
