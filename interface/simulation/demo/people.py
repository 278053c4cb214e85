"""Names, identity numbers, places and organisations of a county that does not exist."""

from typing import Final, NamedTuple

from application.access import Organisation
from domain.identity_number import check_digit
from domain.roles import Role
from interface.simulation.demo.random_source import RandomSource, day, number

REGION: Final = "411381"
BANKS: Final = (
    (46, "NRCB", "农村商业银行"),
    (20, "PSBC", "邮政储蓄银行支行"),
    (16, "ABC", "农业银行支行"),
    (10, "BOC-Z", "中银村镇银行"),
    (8, "CTB", "城泰村镇银行"),
)
TOWNSHIPS: Final = tuple(
    (f"T{place:02d}", name)
    for place, name in enumerate(
        (
            "青石镇", "柳河镇", "东岗乡", "白果镇", "双石桥镇", "南营镇", "玉潭镇", "古渡镇",
            "杨庄集镇", "马坪乡", "沙湾镇", "竹园镇", "大陂镇", "清泉镇", "红土岭乡", "双槐镇",
            "云台乡", "桃林镇", "北关街道", "新桥街道", "黄楝镇", "响水镇", "牛王庙乡", "金谷镇",
            "凤栖镇", "三官庄镇",
        ),
        start=1,
    )
)  # fmt: skip
COUNTY: Final = (
    Organisation("CENTRE", Role.CENTRE, "金融扶贫服务中心"),
    Organisation("BUREAU", Role.BUREAU, "乡村振兴局"),
    Organisation("FINANCE", Role.FINANCE, "财政局"),
    Organisation("AUDIT", Role.AUDITOR, "审计局"),
    Organisation("ADMIN", Role.ADMIN, "系统管理"),
)
GUARANTORS: Final = (Organisation("GUAR", Role.GUARANTOR, "惠农融资担保有限公司"),)
"""Enrolled when loans are guaranteed, after the four years."""
FIRMS: Final = (
    "丰禾农业开发有限公司", "瑞源养殖有限公司", "鑫茂建材有限公司", "绿野种植专业合作社",
    "宏途商贸有限公司", "恒昌食品有限公司", "万顺置业有限公司", "春晖果业有限公司",
    "聚鑫投资咨询有限公司", "天沃农机有限公司",
)  # fmt: skip
MERCHANTS: Final = (
    "兴农饲料经营部", "惠民种子门市", "福牛牲畜交易行", "顺达农机经销处", "禾壮农资店",
    "康牧兽药店", "新城建材门市", "万家家电商行",
)  # fmt: skip
PURPOSES: Final = (
    (18, "养殖肉牛"), (14, "养猪"), (10, "养羊"), (6, "养鸡"), (14, "种植辣椒"),
    (10, "种植小麦玉米"), (7, "种植红薯"), (6, "大棚蔬菜"), (4, "种植金银花"), (4, "食用菌种植"),
    (3, "农家乐"), (3, "农产品加工"), (2, "农机作业服务"), (2, "农村电商"), (1, "手工编织"),
)  # fmt: skip

_SURNAMES: Final = (
    "王李张刘陈杨赵黄周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任"
    "沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_TWO_PART_SURNAMES: Final = ("欧阳", "司马", "上官", "诸葛")
_GIVEN: Final = {
    "male": (
        "伟强磊军洋勇杰涛明超刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁龙林"
        "欢成东升国庆建新福贵全胜保山振兴德文武海学有"
    ),
    "female": (
        "芳娜敏静丽艳娟霞秀英玲桂兰红梅燕萍婷雪琳慧莹洁云翠珍荣爱香月"
        "莲真环瑞凡佳嘉琼勤贞莉菊凤彩春花巧玉"
    ),
}
_RARE: Final = "䶮㛃堃甡喆犇淼㼆𬭎𠅤"
_VILLAGE_ENDS: Final = ("庄", "湾", "楼", "营", "寨", "坡", "桥", "洼", "岗", "沟")


class Person(NamedTuple):
    """Somebody of the county; `id_no` has its check digit right and belongs to nobody."""

    name: str
    id_no: str
    relation: str
    born_year: int


class People:
    """Gives each person a name and an identity number that nobody else of the county has."""

    def __init__(self, rng: RandomSource) -> None:
        self._rng = rng
        self._taken: set[str] = set()

    def surname(self) -> str:
        rng = self._rng
        if rng.chance(4):
            return rng.pick(_TWO_PART_SURNAMES)
        common = rng.chance(600)
        return rng.pick(_SURNAMES[:24] if common else _SURNAMES)

    def person(self, surname: str, male: bool, born_year: int, relation: str) -> Person:
        rng = self._rng
        given = _GIVEN["male" if male else "female"]
        name = surname + rng.pick(given) + (rng.pick(given) if rng.chance(750) else "")
        if rng.chance(4):
            name = surname + rng.pick(_RARE)
        return Person(name, self._identity_number(born_year, male), relation, born_year)

    def _identity_number(self, born_year: int, male: bool) -> str:
        rng = self._rng
        while True:
            born_on = day(number(born_year, 1, 1) + rng.between(0, 364))
            order = rng.between(0, 499) * 2 + male
            first = f"{REGION}{born_on:%Y%m%d}{order:03d}"
            if first not in self._taken:
                self._taken.add(first)
                return first + check_digit(first)


def villages(rng: RandomSource) -> tuple[str, ...]:
    """The villages of one township."""
    wanted = rng.between(9, 18)
    names: dict[str, None] = {}
    while len(names) < wanted:
        names[f"{rng.pick(_SURNAMES[:60])}{rng.pick(_VILLAGE_ENDS)}村"] = None
    return tuple(names)


def organisations() -> tuple[Organisation, ...]:
    """All that take part in the programme."""
    return (
        *COUNTY,
        *(Organisation(code, Role.BANK, name) for _, code, name in BANKS),
        *(Organisation(code, Role.TOWNSHIP, name) for code, name in TOWNSHIPS),
    )
