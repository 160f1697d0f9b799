"""The same steps in Python, to compare with: python resnet.py [DEPTH BATCH SIZE STEPS]"""
import sys
import time

import torch
import torch.nn.functional as F
import torchvision

depth, batch, size, steps = (int(a) for a in (sys.argv[1:] + ["18", "8", "128", "5"][len(sys.argv) - 1:]))
torch.manual_seed(1)
net = getattr(torchvision.models, f"resnet{depth}")(weights=None).to(memory_format=torch.channels_last)
opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True)
x = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
y = torch.randint(0, 1000, [batch])
for step in range(steps + 1):
    loss = F.cross_entropy(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"step {step}: loss {loss.item():.4f}")
    if step == 0:
        start = time.time()
print(f"{steps * batch / (time.time() - start):.1f} pictures a second")
