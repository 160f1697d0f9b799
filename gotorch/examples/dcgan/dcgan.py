"""The same networks, batches and steps in Python, to compare with: python dcgan.py FOLDER [STEPS]"""
import gzip
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

folder, steps = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300
noise_size, batch = 64, 64


def generator():
    return nn.Sequential(nn.ConvTranspose2d(noise_size, 128, 7, bias=False), nn.BatchNorm2d(128), nn.ReLU(True),
                         nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(True),
                         nn.ConvTranspose2d(64, 1, 4, 2, 1, bias=False), nn.Tanh())


def discriminator():
    return nn.Sequential(nn.Conv2d(1, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True),
                         nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2, True),
                         nn.Conv2d(128, 1, 7, bias=False), nn.Flatten(0))


def weights(m):
    if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(m.weight, 0, 0.02)
    elif isinstance(m, nn.BatchNorm2d):
        nn.init.normal_(m.weight, 1, 0.02)
        nn.init.zeros_(m.bias)


with gzip.open(f"{folder}/train-images-idx3-ubyte.gz") as f:
    x = torch.frombuffer(bytearray(f.read()[16:]), dtype=torch.uint8).reshape(-1, 1, 28, 28).float() / 255 * 2 - 1
torch.manual_seed(999)
g, d = generator().apply(weights), discriminator().apply(weights)
opt_g = torch.optim.Adam(g.parameters(), 2e-4, betas=(0.5, 0.999), fused=True)
opt_d = torch.optim.Adam(d.parameters(), 2e-4, betas=(0.5, 0.999), fused=True)
real, drawn = torch.ones(batch), torch.zeros(batch)
start = time.time()
for step in range(steps):
    pictures = x[torch.randint(len(x), [batch])]
    opt_d.zero_grad()
    loss_real = F.binary_cross_entropy_with_logits(d(pictures), real)
    loss_real.backward()
    fake = g(torch.randn(batch, noise_size, 1, 1))
    loss_fake = F.binary_cross_entropy_with_logits(d(fake.detach()), drawn)
    loss_fake.backward()
    opt_d.step()

    opt_g.zero_grad()
    loss_g = F.binary_cross_entropy_with_logits(d(fake), real)
    loss_g.backward()
    opt_g.step()
    if step % 50 == 0 or step == steps - 1:
        print(f"step {step}: discriminator {loss_real.item() + loss_fake.item():.4f}, generator {loss_g.item():.4f}, "
              f"{(step + 1) * batch / (time.time() - start):.0f} pictures a second")
