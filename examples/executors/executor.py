"""An executor with the standard library alone: python3 executor.py URL TOKEN DEFINITION"""

import json
import sys
import urllib.error
import urllib.request

URL, TOKEN, DEFINITION = sys.argv[1:4]
HEADERS = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}


def call(method, **params):
    body = json.dumps({"method": f"awf.task/{method}", "params": params}).encode()
    request = urllib.request.Request(f"{URL}/rpc", body, HEADERS)
    with urllib.request.urlopen(request, timeout=90) as response:
        return json.load(response)["result"]


def carry_out(task):
    run = {"id": task["id"], "execId": task["execId"]}
    call("start", **run)
    try:
        result = {"sum": sum(task["params"]["numbers"])}
    except Exception as error:
        return call("fail", **run, error={"message": repr(error)})
    call("success", **run, result=result)


while True:
    for task in call("long-poll", taskDefinitions=[DEFINITION])["resources"]:
        try:
            carry_out(task)
        except urllib.error.HTTPError as error:
            # It was canceled, or too late: another executor may have it by now.
            print(task["id"], error.read().decode(), file=sys.stderr)
