"""What fastai and Lightning keep of a training that is killed: the same small network on the same pictures,
with each framework's own best settings for checkpoints, killed at random moments and started again.

    python scripts/peers/kill_resume.py fastai|lightning [--kills 20] [--seed 1]

Prints one JSON object: {"peer", "kills", "trainings", "bit_equal", "failed_starts", "errors",
"bit_equal_without_kills"}. bit_equal counts the trainings whose last weights are those of one that nobody
killed; failed_starts the processes that could not go on from what they found on the disk.

fastai: SaveModelCallback(every_epoch=True, with_opt=True), then load and fit_one_cycle(start_epoch=...),
as its documentation says. Lightning: ModelCheckpoint(every_n_train_steps=3, save_last=True), then
fit(ckpt_path="last"). Both seeded anew in each process, one thread, no workers.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EPOCHS, BATCH, SEED = 6, 8, 42


def pictures():
    """Eighty noisy squares of 32 pixels, 3 x 32 x 32 floats, red or blue."""
    import torch

    g = torch.Generator().manual_seed(3)
    x = torch.rand(80, 3, 32, 32, generator=g) * 0.5
    y = torch.arange(80) % 2
    x[y == 0, 0] += 0.4
    x[y == 1, 2] += 0.4
    return torch.utils.data.TensorDataset(x[:64], y[:64]), torch.utils.data.TensorDataset(x[64:], y[64:])


def network():
    from torch import nn

    widths = [3, 8, 16, 32, 64]
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Conv2d(a, b, 3, 2, 1), nn.ReLU(), nn.BatchNorm2d(b)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, 2))


def digest(model):
    h = hashlib.sha256()
    for name, t in sorted(model.state_dict().items()):
        h.update(name.encode() + t.numpy().tobytes())
    return h.hexdigest()


def train_fastai(folder):
    import torch
    from fastai.callback.tracker import SaveModelCallback
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader
    from fastai.learner import Learner
    from fastai.torch_core import set_seed
    from fastai.callback import schedule  # noqa: F401  fit_one_cycle

    torch.set_num_threads(1)
    set_seed(SEED, reproducible=True)
    train, valid = pictures()
    loaders = DataLoaders(
        DataLoader(train, bs=BATCH, shuffle=True, drop_last=True, num_workers=0),
        DataLoader(valid, bs=BATCH, num_workers=0),
    )
    learner = Learner(loaders, network(), loss_func=torch.nn.CrossEntropyLoss(), path=folder, model_dir="models")
    saved = sorted((int(p.stem.split("_")[1]) for p in (folder / "models").glob("model_*.pth")), reverse=True)
    start = 0
    if saved:
        learner.load(f"model_{saved[0]}", with_opt=True)
        start = saved[0] + 1
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(
            EPOCHS, 3e-3, start_epoch=start, cbs=SaveModelCallback(every_epoch=True, with_opt=True)
        )
    return digest(learner.model)


def train_lightning(folder):
    import logging
    import warnings

    import lightning as L
    import torch
    from lightning.pytorch.callbacks import ModelCheckpoint

    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    L.seed_everything(SEED, verbose=False)

    class Module(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = network()

        def training_step(self, batch, _):
            return torch.nn.functional.cross_entropy(self.network(batch[0]), batch[1])

        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), 3e-3)
            steps = EPOCHS * (64 // BATCH)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    train, _ = pictures()
    loader = torch.utils.data.DataLoader(train, batch_size=BATCH, shuffle=True, drop_last=True)
    checkpoint = ModelCheckpoint(dirpath=folder / "checkpoints", every_n_train_steps=3, save_last=True)
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        callbacks=[checkpoint],
        deterministic=True,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    module = Module()
    last = folder / "checkpoints" / "last.ckpt"
    trainer.fit(module, loader, ckpt_path="last" if last.exists() else None)
    return digest(module.network)


def child(peer, folder):
    result = {"fastai": train_fastai, "lightning": train_lightning}[peer](Path(folder))
    (Path(folder) / "digest").write_text(result)


def start(peer, folder):
    command = [sys.executable, __file__, peer, "--child", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "PYTHONHASHSEED": "0"})


def whole(peer):
    """The digest of a training that nobody kills, and the seconds its process took."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        process = start(peer, folder)
        _, said = process.communicate()
        if process.returncode:
            sys.exit(f"{peer} does not run: {said.decode()[-2000:]}")
        return (Path(folder) / "digest").read_text(), time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("peer", choices=["fastai", "lightning"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the moments of killing")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.peer, args.child)
        return
    moments = random.Random(args.seed)
    want, took = whole(args.peer)
    again, _ = whole(args.peer)
    kills = trainings = equal = failed = 0
    errors = set()
    while kills < args.kills:
        with tempfile.TemporaryDirectory() as folder:
            while True:
                process = start(args.peer, folder)
                try:
                    _, said = process.communicate(timeout=moments.uniform(0.3, 1) * took if kills < args.kills else None)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    kills += 1
                    continue
                if process.returncode:
                    failed += 1
                    errors.add(said.decode().strip().splitlines()[-1][:200])
                break
            trainings += 1
            finished = Path(folder) / "digest"
            equal += finished.exists() and finished.read_text() == want
    print(
        json.dumps(
            {
                "peer": f"{args.peer} {importlib.metadata.version(args.peer)}",
                "kills": kills,
                "trainings": trainings,
                "bit_equal": equal,
                "failed_starts": failed,
                "errors": sorted(errors),
                "bit_equal_without_kills": want == again,
            }
        )
    )


if __name__ == "__main__":
    main()
