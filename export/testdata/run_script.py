"""Runs TorchScript modules with Python's torch: run_script.py DIR

Each folder in DIR holds model.pt and input.f32, pictures; it gets output.f32, their logits.
"""
import pathlib, sys
import numpy, torch

torch.set_num_threads(1)
for case in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    x = numpy.fromfile(case / "input.f32", dtype=numpy.float32)
    size = int((case / "size").read_text())
    model = torch.jit.load(case / "model.pt")
    with torch.inference_mode():
        y = torch.cat([model(part) for part in torch.from_numpy(x.reshape(-1, 3, size, size)).split(8)])
    y.numpy().tofile(case / "output.f32")
