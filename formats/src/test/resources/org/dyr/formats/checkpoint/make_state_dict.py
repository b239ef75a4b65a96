"""Makes state_dict.bin and legacy.bin beside this file. Run by hand; needs PyTorch (made with 1.13)."""
import collections
import os

import torch

here = os.path.dirname(os.path.abspath(__file__))
base = torch.arange(24, dtype=torch.float32)
state = collections.OrderedDict()
state["plain"] = base.reshape(4, 6)
state["transposed"] = base.reshape(4, 6).t()                # same storage, strides (1, 6)
state["columns"] = base.reshape(4, 6)[1:3, 2:5]              # same storage, from element 8
state["rows"] = base.reshape(4, 6)[2:]                       # contiguous, from element 12
state["half"] = torch.tensor([1.5, -2.0], dtype=torch.float16)
state["bfloat16"] = torch.tensor([1.5, -2.0, 3.0], dtype=torch.bfloat16).reshape(3, 1)
state["long"] = torch.tensor([[-1, 2**40]], dtype=torch.int64)
state["bool"] = torch.tensor([True, False, True])
state["scalar"] = torch.tensor(7, dtype=torch.int32)
state["empty"] = torch.zeros(0, 3)
state["parameter"] = torch.nn.Parameter(torch.tensor([0.25]))
state._metadata = collections.OrderedDict([("", {"version": 1})])
torch.save(state, os.path.join(here, "state_dict.bin"))
small = collections.OrderedDict(a=torch.tensor([1.0]))
torch.save(small, os.path.join(here, "legacy.bin"), _use_new_zipfile_serialization=False)
