"""Runs ONNX models with onnxruntime: run_onnx.py DIR

Each folder in DIR holds model.onnx and input.f32, pictures, or with the preprocessing inside the model input.u8,
their pixels, and their side in the file side; it gets output.f32, their logits. The models
are checked by onnx.checker first, shapes included.
"""
import pathlib, sys
import numpy, onnx, onnxruntime

for case in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    model = onnx.load(case / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(case / "model.onnx", options, providers=["CPUExecutionProvider"])
    (inputs,) = session.get_inputs()
    assert inputs.shape[0] == "batch", inputs.shape
    if inputs.type == "tensor(uint8)":
        side = int((case / "side").read_text())
        x = numpy.fromfile(case / "input.u8", dtype=numpy.uint8).reshape([-1, side, side, 3])
    else:
        x = numpy.fromfile(case / "input.f32", dtype=numpy.float32).reshape([-1, *inputs.shape[1:]])
    # One picture alone, then all: the batch's size is open.
    alone = session.run(None, {inputs.name: x[:1]})[0]
    y = session.run(None, {inputs.name: x})[0]
    assert y.shape[0] == len(x), (y.shape, x.shape)
    assert numpy.allclose(alone[0], y[0], rtol=1e-4, atol=1e-4), case
    y.astype(numpy.float32).tofile(case / "output.f32")
