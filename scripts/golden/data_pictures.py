"""Writes data/testdata/pictures.json: small picture files and the pixels Pillow reads from them.

Each entry holds the file (base64), the size and the RGB bytes (base64 of zlib) that
Image.open(...).convert("RGB") gives after ImageOps.exif_transpose. Where Pillow's reading is not
ours (16-bit grey), the generator says what it should be instead.

Run: python scripts/golden/data_pictures.py data/testdata/pictures.json
"""

import base64
import ctypes
import io
import json
import sys
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps, features

W, H = 37, 22


def scene(w=W, h=H):
    y, x = np.mgrid[0:h, 0:w]
    rgb = np.stack([255 * x / (w - 1), 255 * y / (h - 1), 128 + 127 * np.sin(x / 3) * np.cos(y / 4)], -1)
    rgb[3:9, 5:14] = (250, 10, 20)
    rgb[12:19, 20:33] = (5, 30, 240)
    return Image.fromarray(rgb.round().astype(np.uint8), "RGB")


im = scene()
grey = im.convert("L")
alpha = Image.fromarray((np.mgrid[0:H, 0:W][1] * 255 // (W - 1)).astype(np.uint8), "L")
rgba = im.copy()
rgba.putalpha(alpha)
files = {}


def add(name, image, expect=None, **save):
    b = io.BytesIO()
    image.save(b, **save)
    put(name, b.getvalue(), expect)


def put(name, blob, expect=None):
    if expect is None:
        expect = ImageOps.exif_transpose(Image.open(io.BytesIO(blob))).convert("RGB")
    files[name] = {
        "file": base64.b64encode(blob).decode(),
        "width": expect.width,
        "height": expect.height,
        "rgb": base64.b64encode(zlib.compress(np.asarray(expect).tobytes(), 9)).decode(),
    }


for sub in ("4:4:4", "4:2:2", "4:2:0"):
    add(f"jpeg-{sub.replace(':', '')}", im, format="JPEG", quality=90, subsampling=sub)
add("jpeg-progressive", im, format="JPEG", quality=85, progressive=True)
add("jpeg-restart", im, format="JPEG", quality=85, restart_marker_blocks=2)
add("jpeg-grey", grey, format="JPEG")
add("jpeg-cmyk", im.convert("CMYK"), format="JPEG", quality=95)


def ycck(cmyk):
    """Encodes C, M, Y, K as YCCK with the system's TurboJPEG, since Pillow writes CMYK only."""
    tj = ctypes.CDLL("libturbojpeg.so.0")
    tj.tjInitCompress.restype = ctypes.c_void_p
    handle, out, size = ctypes.c_void_p(tj.tjInitCompress()), ctypes.c_void_p(), ctypes.c_ulong()
    TJPF_CMYK, TJSAMP_420 = 11, 2
    raw = 255 - np.asarray(cmyk)  # as Adobe stores it
    code = tj.tjCompress2(
        handle, raw.tobytes(), W, 4 * W, H, TJPF_CMYK, ctypes.byref(out), ctypes.byref(size), TJSAMP_420, 90, 0
    )
    assert code == 0
    return ctypes.string_at(out, size.value)


put("jpeg-ycck", ycck(im.convert("CMYK")))
add("jpeg-rgb", im, format="JPEG", quality=95, keep_rgb=True)
add("jpeg-1x1", im.crop((0, 0, 1, 1)), format="JPEG")
b = io.BytesIO()
im.save(b, format="JPEG", quality=95)
icc = b.getvalue()
put("jpeg-odd-adobe", icc[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x01" + icc[2:])
for o in range(1, 9):
    exif = Image.Exif()
    exif[0x112] = o
    add(f"jpeg-exif-{o}", im, format="JPEG", quality=95, exif=exif)
exif = Image.Exif()
exif[0x112] = 6
add("png-exif-6", im, format="PNG", exif=exif)
add("webp-exif-6", im, format="WEBP", lossless=True, exif=exif)
add("tiff-exif-6", im, format="TIFF", exif=exif)

add("png-rgb", im, format="PNG")
add("png-rgba", rgba, format="PNG")
add("png-grey", grey, format="PNG")
add("png-la", rgba.convert("LA"), format="PNG")
add("png-1bit", im.convert("1"), format="PNG")
add("png-palette", im.quantize(16), format="PNG")
add("png-palette-transparent", im.quantize(16), format="PNG", transparency=3)
add("png-rgb-transparent", im, format="PNG", transparency=(250, 10, 20))
g16 = (np.asarray(grey).astype(np.uint16) << 8) | 0x80
add("png-grey16", Image.fromarray(g16), expect=grey.convert("RGB"), format="PNG")
add("png-animated", im, format="PNG", save_all=True, append_images=[im.transpose(Image.Transpose.ROTATE_180)])


def chunk(kind, body):
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def png16(color, samples):
    a = (np.asarray(samples).astype(np.uint16) << 8) | 0x5A
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in a.reshape(H, -1))
    ihdr = W.to_bytes(4, "big") + H.to_bytes(4, "big") + bytes([16, color, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


put("png-rgb16", png16(2, im), im)
put("png-rgba16", png16(6, rgba), im)

add("gif", im, format="GIF")
add("gif-grey", grey, format="GIF")
pal = im.quantize(16)
add("gif-transparent", pal, format="GIF", transparency=3)
add("gif-animated", im, format="GIF", save_all=True, append_images=[im.transpose(Image.Transpose.ROTATE_180)])

b = io.BytesIO()
im.save(b, format="GIF")
small = bytearray(b.getvalue())
small[6:10] = (W + 5).to_bytes(2, "little") + (H + 3).to_bytes(2, "little")
at = small.index(b",\0\0\0\0" + W.to_bytes(2, "little"))
small[at + 1 : at + 5] = (2).to_bytes(2, "little") + (1).to_bytes(2, "little")
canvas = Image.new("RGB", (W + 5, H + 3))  # black; Pillow shows palette entry 0, whatever it is
canvas.paste(Image.open(io.BytesIO(b.getvalue())).convert("RGB"), (2, 1))
put("gif-frame-inside", bytes(small), canvas)

for q in (30, 80, 100):
    add(f"webp-q{q}", im, format="WEBP", quality=q)
add("webp-odd", im.crop((0, 0, 35, 21)), format="WEBP", quality=90)
add("webp-1x1", im.crop((0, 0, 1, 1)), format="WEBP", quality=90)
add("webp-tall", scene(3, 41), format="WEBP", quality=90)
add("webp-lossless", im, format="WEBP", lossless=True)
add("webp-alpha", rgba, format="WEBP", quality=90, exact=True)
add("webp-lossless-alpha", rgba, format="WEBP", lossless=True, exact=True)
add("webp-animated", im, format="WEBP", save_all=True, append_images=[im.transpose(Image.Transpose.ROTATE_180)])
add("webp-animated-lossless", im, format="WEBP", lossless=True, save_all=True, append_images=[grey.convert("RGB")])

add("bmp", im, format="BMP")
add("bmp-grey", grey, format="BMP")
add("bmp-palette", pal, format="BMP")
add("bmp-1bit", im.convert("1"), format="BMP")
for comp in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
    add(f"tiff-{comp}", im, format="TIFF", compression=comp)
add("tiff-grey", grey, format="TIFF")
add("tiff-palette", im.quantize(16), format="TIFF")
add("tiff-rgba", rgba, format="TIFF")

with open(sys.argv[1], "w") as f:
    json.dump(
        {
            "pillow": PIL.__version__,
            "libjpeg_turbo": features.version("libjpeg_turbo"),
            "libwebp": features.version("webp"),
            "files": files,
        },
        f,
        indent=0,
    )
print(len(files), "files")
