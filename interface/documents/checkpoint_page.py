"""A checkpoint on paper: one page a day, to be stamped and filed."""

from __future__ import annotations

from html import escape
from zoneinfo import ZoneInfo

import segno

from application.transparency_log.nodes import Checkpoint

_PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>检查点 {size}</title>
<style>
@page {{ size: A4; margin: 20mm }}
body {{ font-family: "Noto Serif CJK SC", "SimSun", serif; max-width: 170mm; margin: auto }}
dl {{ display: grid; grid-template-columns: 10em 1fr; gap: .4em }} dd {{ margin: 0 }}
dd, pre {{ font-family: monospace; overflow-wrap: anywhere; white-space: pre-wrap }}
.stamp {{ height: 35mm; border: 1px dashed #888; padding: .5em; color: #666 }}
svg {{ width: 70mm; height: 70mm }}
</style></head><body>
<h1>台账检查点 Checkpoint</h1>
<dl>
<dt>日志 log</dt><dd>{origin}</dd>
<dt>签署 signed at</dt><dd>{signed_at}</dd>
<dt>事件数 events</dt><dd>{size}</dd>
<dt>根 root (hex)</dt><dd>{root}</dd>
</dl>
{code}
<pre>{note}</pre>
<p class="stamp">见证单位盖章 · 日期<br>witness: stamp and date</p>
</body></html>
"""


def page(checkpoint: Checkpoint) -> str:
    """A checkpoint as a printable page: in words, in hexadecimal, and as a QR code of the note."""
    code = segno.make(checkpoint.text(), error="m", micro=False)
    signed_at = checkpoint.signed_at.astimezone(ZoneInfo("Asia/Shanghai"))
    return _PAGE.format(
        origin=escape(checkpoint.head.origin),
        signed_at=f"{signed_at:%Y-%m-%d %H:%M:%S} (Asia/Shanghai)",
        size=checkpoint.head.size,
        root=" ".join(_groups(checkpoint.head.root.hex())),
        code=code.svg_inline(),
        note=escape(checkpoint.text()),
    )


def _groups(text: str) -> list[str]:
    return [text[at : at + 8] for at in range(0, len(text), 8)]
