"""Training of causal models: loading, recipes, packing, adapters, the run."""

import logging

# Where the processor has AVX512-BF16, bitsandbytes warns at import of a product of a hub's that it
# could not fetch. No layer here uses it (see `nf4`), and no training should begin with that line.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
