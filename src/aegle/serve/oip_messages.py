"""The messages of inference.GRPCInferenceService, built from its definition at import.

Source: KServe, grpc_predict_v2.proto (Apache-2.0). Generated code would be tied to one version of
protobuf's compiler; descriptors are not.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE: Final = "inference"
SERVICE: Final = "inference.GRPCInferenceService"
_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_TYPES: Final = {
    "bool": _FIELD.TYPE_BOOL,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32,
    "uint64": _FIELD.TYPE_UINT64,
    "float": _FIELD.TYPE_FLOAT,
    "double": _FIELD.TYPE_DOUBLE,
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
}
_TENSOR: Final = (
    "name string; datatype string; shape int64*; parameters %; contents InferTensorContents"
)
_DEFINITION: Final[dict[str, str]] = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live bool",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready bool",
    "ModelReadyRequest": "name string; version string",
    "ModelReadyResponse": "ready bool",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "name string; version string; extensions string*",
    "ModelMetadataRequest": "name string; version string",
    "ModelMetadataResponse.TensorMetadata": "name string; datatype string; shape int64*",
    "ModelMetadataResponse": "name string; versions string*; platform string; "
    "inputs ModelMetadataResponse.TensorMetadata*; outputs ModelMetadataResponse.TensorMetadata*",
    "InferParameter": "bool_param bool|; int64_param int64|; string_param string|; "
    "double_param double|; uint64_param uint64|",
    "InferTensorContents": "bool_contents bool*; int_contents int32*; int64_contents int64*; "
    "uint_contents uint32*; uint64_contents uint64*; fp32_contents float*; fp64_contents double*; "
    "bytes_contents bytes*",
    "ModelInferRequest.InferInputTensor": _TENSOR,
    "ModelInferRequest.InferRequestedOutputTensor": "name string; parameters %",
    "ModelInferRequest": "model_name string; model_version string; id string; parameters %; "
    "inputs ModelInferRequest.InferInputTensor*; "
    "outputs ModelInferRequest.InferRequestedOutputTensor*; raw_input_contents bytes*",
    "ModelInferResponse.InferOutputTensor": _TENSOR,
    "ModelInferResponse": "model_name string; model_version string; id string; parameters %; "
    "outputs ModelInferResponse.InferOutputTensor*; raw_output_contents bytes*",
}
"""Message -> fields in the order of their numbers: ``name type``; ``*`` repeated, ``|`` one of
several, ``%`` a map from strings to InferParameter."""


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="aegle/open_inference.proto", package=PACKAGE, syntax="proto3"
    )
    made: dict[str, Any] = {}
    for name in sorted(_DEFINITION, key=lambda one: one.count(".")):
        outer, _, inner = name.rpartition(".")
        made[name] = (
            made[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=name)
        )
    for name, message in made.items():
        for number, told in enumerate(filter(None, _DEFINITION[name].split("; ")), 1):
            _add(message, name, number, told)
    return file


def _add(message: Any, owner: str, number: int, told: str) -> None:
    name, kind = told.split(" ")
    one = message.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL)
    if kind == "%":
        entry = message.nested_type.add(name="ParametersEntry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=1, type=_FIELD.TYPE_STRING)
        entry.field.add(
            name="value", number=2, label=1, type=_FIELD.TYPE_MESSAGE,
            type_name=f".{PACKAGE}.InferParameter",
        )  # fmt: skip
        one.label, one.type = _FIELD.LABEL_REPEATED, _FIELD.TYPE_MESSAGE
        one.type_name = f".{PACKAGE}.{owner}.ParametersEntry"
        return
    if kind.endswith("*"):
        one.label = _FIELD.LABEL_REPEATED
    if kind.endswith("|"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        one.oneof_index = 0
    bare = kind.rstrip("*|")
    if bare in _TYPES:
        one.type = _TYPES[bare]
    else:
        one.type, one.type_name = _FIELD.TYPE_MESSAGE, f".{PACKAGE}.{bare}"


def _built() -> dict[str, Any]:
    # A pool of its own: a client's generated messages of the same names may be loaded beside.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in _DEFINITION
        if "." not in name
    }


MESSAGES: Final = _built()
"""Message class by name."""
