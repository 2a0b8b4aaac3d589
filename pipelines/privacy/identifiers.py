"""Patterns of accounts, documents and rooms of people. Most are found after a label only, since alone they look like
codes.
"""

import re
from collections.abc import Callable

from pipelines.privacy.patterns import Match, Pattern

_LINK = r"[ \t]?(?:号码?|[iI][dD]|账号)?[ \t]?(?:是|为|[:：])?[ \t]?"
_HOTLINE = r"(?!12[0-9]{3}(?![0-9A-Za-z]))"  # 12345, 12319
_WECHAT = r"微信|薇信|威信|(?<![A-Za-z])(?i:wechat|weixin|wx|vx)|[vV]信|加[我个]?[vV微]"
_QQ = r"(?<![A-Za-z])[qQ]{2}|扣扣"
_PAPERS = (
    "护照|通行证|台胞证|回乡证|居留证|居住证|军官证|士官证|士兵证|警官证|驾驶证|驾照|学生证|工作证|社保卡?|医保卡?"
    "|残疾证|证件"
)
# An id without a mark before it holds a digit or an underscore: 微信 payment is no id.
_ACCOUNT = (
    r"(?:(?<=[:：是为号])[ \t]?[A-Za-z][A-Za-z0-9_\-]{5,19}|[0-9]{5,12}"
    r"|[A-Za-z](?=[A-Za-z_\-]{0,18}[0-9_])[A-Za-z0-9_\-]{5,19})"
)
_END = r"(?![A-Za-z0-9_])"


def _document(match: Match) -> str:
    """H20261129 is a number of a case, not a permit."""
    return match[0] if re.match(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])", match[0][1:]) else "[证件号]"


def _labelled(kind: str) -> Callable[[Match], str]:
    return lambda match: f"{match['label']}[{kind}]"


ACCOUNTS = (
    Pattern("微信号", re.compile(rf"(?P<label>(?:{_WECHAT}){_LINK}){_HOTLINE}{_ACCOUNT}{_END}"), _labelled("微信号")),
    Pattern("QQ号", re.compile(rf"(?P<label>(?:{_QQ})群?{_LINK}){_HOTLINE}[0-9]{{5,12}}{_END}"), _labelled("QQ号")),
    Pattern(
        "证件号",
        re.compile(rf"(?P<label>(?:{_PAPERS}){_LINK})(?=[A-Za-z]{{0,6}}[0-9])[A-Za-z0-9]{{6,18}}{_END}"),
        _labelled("证件号"),
    ),
    Pattern(
        "证件号",
        re.compile(
            r"(?<![A-Za-z0-9_-])(?:[EG][0-9]{8}|E[A-HJ-NP-Z][0-9]{7}|[HM](?:[0-9]{8}|[0-9]{10}))(?![A-Za-z0-9_-])"
        ),
        _document,
    ),
)
# A flat or room names a person; a building and a street number do not, and an officer must find the place.
# Offices (局517室) and shops (105号商铺) are public places.
_NOT_A_ROOM = r"[0-9.,%％元米平亩户人年月日个万多余岁次件块吨斤层套台辆度路线弄]|号?(?:商铺|门面|铺|店)"
_ROOM = r"(?:[A-Za-z]?[0-9]{3,5}|[零〇一二三四五六七八九]{3,4})"
ROOMS = (
    Pattern(
        "房号",
        re.compile(
            rf"(?<!铺-)(?<![0-9A-Za-z.局委厅办院处科厦零〇一二三四五六七八九]){_ROOM}(?=号?(?:室|房(?![屋地产价款租子东源型贷])))"
        ),
    ),
    Pattern(
        "房号",
        re.compile(rf"(?:(?<=单元)|(?<=号楼)|(?<=[栋幢座])|(?<=[0-9]#))(?P<gap>[ \-—]?){_ROOM}(?!{_NOT_A_ROOM})"),
        lambda match: f"{match['gap']}[房号]",
    ),
    Pattern(
        "房号",
        re.compile(
            rf"(?P<gap>[区园苑庭府邸湾城庄里寓舍轩村座栋幢#][0-9]{{1,3}}-(?:[0-9]{{1,2}}-)?)[0-9]{{3,4}}(?!{_NOT_A_ROOM}|-)"
        ),
        lambda match: f"{match['gap']}[房号]",
    ),
    Pattern(
        "房号",
        re.compile(r"(?i)(?<![a-z])(?P<gap>(?:apt|apartment|unit)\.? ?#? ?)[0-9]{1,4}[a-z]?(?![0-9a-z])"),
        lambda match: f"{match['gap']}[房号]",
    ),
)
# Fast checks in RE2 for whole columns: each matches all texts that the patterns above could change.
QUICK_ACCOUNT = (
    rf"(?:微信|薇信|威信|[wWvV][eExX信]|加[我个]?[vV微]|[qQ]{{2}}|扣扣|{_PAPERS})[^0-9A-Za-z]{{0,4}}[A-Za-z0-9:：是为号账]"
    r"|[EGHM][A-Z]?[0-9]{7}"
)
QUICK_ROOM = (
    rf"[0-9零〇一二三四五六七八九]{{3}}号?[室房]|(?:单元|号楼|[栋幢座#])[ \-—]?{_ROOM}"
    r"|[区园苑庭府邸湾城庄里寓舍轩村座栋幢#][0-9]{1,3}-[0-9]|(?i:apt|apartment|unit)\.? ?#? ?[0-9]"
)
# The same for a single text, less exact.
NEAR_ACCOUNT = (
    "[微薇威扣护通台回居军士警驾学工社医残证加vV](?:信|扣|照|行|胞|乡|留|住|官|兵|驶|生|作|保|疾|件|[我个]?[vV微])"
    "|[wW](?:[eE]|[xX])|[vV][xX]|[qQ][qQ]|[EGHM][A-Z]?[0-9]{7}"
)
NEAR_ROOM = "[室房元楼栋幢座#区园苑庭府邸湾城庄里寓舍轩村]|[aAuU](?:[pP][tTaA]|[nN][iI][tT])"
