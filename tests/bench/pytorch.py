"""
The step of `npm run bench -- step` in PyTorch and PEFT: a model of Qwen2.5-0.5B's size with random weights, LoRA of rank 8 on all seven
layers, one row of 512 tokens, every token learned; forward, backward, clipping, AdamW. float32, without TF32.

  python3 tests/bench/pytorch.py

Needs torch with CUDA, transformers and peft. Prints one JSON line for each way: milliseconds (median of 15 after 3), bytes at the peak.
"""

import json
import statistics
import time

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import Qwen2Config, Qwen2ForCausalLM

LENGTH, RANK, WARM, RUNS = 512, 8, 3, 15
CONFIG = Qwen2Config(
    hidden_size=896,
    intermediate_size=4864,
    num_attention_heads=14,
    num_key_value_heads=2,
    num_hidden_layers=24,
    vocab_size=151936,
    rope_theta=1e6,
    rms_norm_eps=1e-6,
    max_position_embeddings=32768,
    tie_word_embeddings=True,
)
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def measure(recompute: bool) -> dict:
    """`recompute`: layers are computed again in the backward pass, as ours are."""
    torch.manual_seed(0)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    base = Qwen2ForCausalLM(CONFIG).to("cuda", torch.float32)
    lora = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=TARGETS, task_type="CAUSAL_LM")
    model = get_peft_model(base, lora)
    if recompute:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable()
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    ids = torch.randint(0, CONFIG.vocab_size, (1, LENGTH), device="cuda")

    def step() -> float:
        began = time.perf_counter()
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - began)

    for _ in range(WARM):
        step()
    times = [step() for _ in range(RUNS)]
    return {
        "recompute": recompute,
        "ms": round(statistics.median(times), 2),
        "least": round(min(times), 2),
        "most": round(max(times), 2),
        "bytes": torch.cuda.max_memory_allocated(),
    }


torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
versions = {"torch": torch.__version__, "peft": peft.__version__, "transformers": transformers.__version__}
print(json.dumps({"device": torch.cuda.get_device_name(), **versions}), flush=True)
for recompute in (True, False):
    print(json.dumps(measure(recompute)), flush=True)
