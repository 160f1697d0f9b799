"""The same network, batches and steps in Python, to compare with: python mnist.py FOLDER [EPOCHS]"""
import gzip
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

folder, epochs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3


def load(name):
    with gzip.open(f"{folder}/{name}-images-idx3-ubyte.gz") as f:
        x = torch.frombuffer(bytearray(f.read()[16:]), dtype=torch.uint8).reshape(-1, 1, 28, 28)
    with gzip.open(f"{folder}/{name}-labels-idx1-ubyte.gz") as f:
        y = torch.frombuffer(bytearray(f.read()[8:]), dtype=torch.uint8).long()
    return (x.float() / 255 - 0.2860) / 0.3530, y


x, y = load("train")
tx, ty = load("t10k")
torch.manual_seed(1)
net = nn.Sequential(nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(24, 48, 3, padding=1),
                    nn.BatchNorm2d(48), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(48 * 49, 10)).to(memory_format=torch.channels_last)
lr, batch = 0.003, 128
opt = torch.optim.AdamW(net.parameters(), lr=lr, betas=(0.9, 0.99), eps=1e-5, weight_decay=0.01, fused=True)
steps = len(x) // batch
for epoch in range(epochs):
    start, total, order = time.time(), 0.0, torch.randperm(len(x))
    for step in range(steps):
        i = order[step * batch:(step + 1) * batch]
        for g in opt.param_groups:
            g["lr"] = lr * (1 - (epoch * steps + step) / (epochs * steps))
        loss = F.cross_entropy(net(x[i].contiguous(memory_format=torch.channels_last)), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    seconds = time.time() - start
    net.eval()
    with torch.no_grad():
        right = sum((net(tx[j:j + 500]).argmax(1) == ty[j:j + 500]).sum().item() for j in range(0, len(tx), 500))
    net.train()
    print(f"epoch {epoch + 1}: loss {total / steps:.4f}, accuracy {right / len(tx):.4f}, {steps * batch / seconds:.0f} pictures a second")
