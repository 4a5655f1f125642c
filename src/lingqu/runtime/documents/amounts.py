# SPDX-License-Identifier: Apache-2.0
"""How an amount of money is written on paper, in figures and in the capital characters.

The capital form follows the rules for filling in bills and settlement vouchers, annexed to
支付结算办法 (银发〔1997〕393号): 整 where no 分 follows, and 零 where figures are left out.
"""

from __future__ import annotations

from lingqu.kernel.money import Money

_FIGURES = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")


def format_amount(amount: Money) -> str:
    """This will write yuan with separators and two decimals: 12,345.60."""
    whole, fen = divmod(abs(amount.minor), 100)
    return f"{'-' if amount.minor < 0 else ''}{whole:,}.{fen:02d}"


def spell_amount(amount: Money) -> str:
    """This will write yuan in capital characters: 人民币壹万贰仟叁佰肆拾伍元陆角整."""
    whole, fen = divmod(abs(amount.minor), 100)
    jiao, fen = divmod(fen, 10)
    text = "人民币负" if amount.minor < 0 else "人民币"
    if whole or not (jiao or fen):
        text += f"{_spell_integer(whole)}元"
    if jiao:
        # The rule permits 零 before 角 where yuan ends in zero, and also to leave it out.
        text += f"{_FIGURES[jiao]}角"
    elif fen and whole:
        text += "零"
    return text + (f"{_FIGURES[fen]}分" if fen else "整")


def _spell_integer(number: int) -> str:
    for scale, name in ((10**8, "亿"), (10**4, "万")):
        if number >= scale:
            above, below = divmod(number, scale)
            gap = _FIGURES[0] if 0 < below < scale // 10 else ""
            rest = _spell_integer(below) if below else ""
            return _spell_integer(above) + name + gap + rest
    return _spell_group(number) or _FIGURES[0]


def _spell_group(group: int) -> str:
    text, zero = "", False
    for place in range(3, -1, -1):
        figure = group // 10**place % 10
        if figure == 0:
            zero = bool(text)
            continue
        text += (_FIGURES[0] if zero else "") + _FIGURES[figure] + _PLACES[place]
        zero = False
    return text
