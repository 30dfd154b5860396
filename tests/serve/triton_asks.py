"""What tritonclient asks of a server, run by a Python that has it; prints what it was told."""

import json
import sys

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http

http, grpc, key = sys.argv[1:4]
TEXTS = ["On warfarin 5 mg.", "Denies chest pain."]
HEADERS = {"authorization": f"Bearer {key}"}


def asked(module, address):
    client = module.InferenceServerClient(address)
    found = {"live": client.is_server_live(), "ready": client.is_server_ready()}
    found["model"] = client.is_model_ready("extract", headers={**HEADERS})
    about = client.get_model_metadata("embed", headers={**HEADERS})
    found["inputs"] = (
        about["inputs"][0]["name"] if isinstance(about, dict) else about.inputs[0].name
    )

    def tensor(label, texts):
        one = module.InferInput(label, [len(texts)], "BYTES")
        one.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=np.object_))
        return one

    def ask(model, inputs, **more):
        return client.infer(model, inputs, headers={**HEADERS}, **more)

    facts = ask("extract", [tensor("text", TEXTS)], parameters={"domain": "healthcare"})
    found["facts"] = [json.loads(one) for one in facts.as_numpy("facts")]
    found["vectors"] = ask("embed", [tensor("text", TEXTS)]).as_numpy("embedding").tolist()
    query = [tensor("query", ["blood thinner"]), tensor("documents", TEXTS)]
    found["scores"] = ask("rerank", query, request_id="7").as_numpy("score").tolist()
    found["errors"] = []
    for model, inputs in (
        ("nothing", [tensor("text", TEXTS)]),
        ("rerank", [tensor("text", TEXTS)]),
    ):
        try:
            ask(model, inputs)
        except Exception as error:
            found["errors"].append(str(error))
    try:
        client.infer("extract", [tensor("text", TEXTS)], headers={"authorization": "Bearer no"})
    except Exception as error:
        found["errors"].append(str(error))
    return found


told = {"http": asked(over_http, http), "grpc": asked(over_grpc, grpc)}
sys.stdout.write(json.dumps(told) + "\n")
