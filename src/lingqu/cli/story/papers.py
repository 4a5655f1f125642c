# SPDX-License-Identifier: Apache-2.0
"""What the story's schemes, agreements and applications say, item by item."""

from __future__ import annotations

SCHEME = {
    "name": "区划代码等公共数据授权运营（演示）",
    "necessity": (
        "银行、保险、物流等单位核对地址和归属，只能各自维护过时的代码表；公共数据齐备，"
        "原始数据不出域即可回答“是”或“否”，必要且可行。"
    ),
    "operator_conditions": "具备资金、管理、技术、服务和安全能力，财务单独核算。",
    "mode": "依场景授权：代码对照、代码和归属的核验与统计。",
    "data_scope": ("资源目录中列入本方案的区划代码等资源；按年更新，已完成质量核对与数据分级。"),
    "term": "授权期限三十六个月；一个月内建成，按年评价；期满退出时交还权限，平台资产归实施机构。",
    "products": "公共治理类：区划代码对照表，免费开放；产业发展类：代码与归属的核验。",
    "accounting": "产业类产品收入按最高准许收入与上限管理，扣除成本后按协议分配，政府部分上缴国库。",
    "security": "只提供核验与统计，不提供原始数据；不含个人信息；异常调用即时中止并报告。",
    "rights_duties": "实施机构负责监督和评价；运营机构按约定范围开发，不得再开发已交付的产品。",
    "supervision": "每次调用留存证据；按月向监管机构报送；年度考核。",
    "other": "其他事项由各方另行商定。",
}
"""The twelve items of an implementation scheme (发改数据规〔2025〕27号 第九条)."""

AGREEMENT = {
    "scope": "实施方案所列资源及其目录。",
    "term": "自备案之日起三十六个月。",
    "products": "产品清单见实施方案；逐项通过安全审查和业务审查。",
    "platform": "使用公共数据运营平台，可管、可控、可追溯。",
    "ownership": "平台软硬件归实施机构；运营机构自行开发的算法归运营机构。",
    "disclosure": "每年三月底前披露；运营机构不得直接或间接参与其已交付产品的再开发。",
    "accounting": "单独核算；收入先扣交易服务费，其余由运营机构与政府按七比三分配。",
    "security": "落实安全责任，监测调用风险，发现异常立即中止。",
    "evaluation": "按年评价；连续两年不合格的退出。",
    "breach": "超范围使用的，终止授权并承担违约责任。",
    "dispute": "协商不成的，向实施机构所在地人民法院起诉。",
    "change": "范围、期限变更须重新备案；法律政策变化致不能履行的终止。",
    "other": "未尽事宜另行签订补充协议。",
}
"""The thirteen items of an agreement (发改数据规〔2025〕27号 第十四条)."""

REGISTRATION = {
    "registrant": "登记主体名称、统一社会信用代码和联系部门见主体登记信息。",
    "lawful_source": "依职能采集或依授权运营协议取得，来源合法。",
    "resource": "数据项、更新频率、质量核对结果和数据分级见资源目录。",
    "evidence": "申请前已在存证日志固定，摘要见申请。",
    "products": "产品和服务形式见授权运营实施方案第七项。",
    "scenarios": "公共治理、金融服务中的代码与归属核对。",
    "risk_assessment": "已评估：不含个人信息，核验不返回清单，风险可控。",
}
"""What an application for a first registration states (发改数据规〔2025〕26号 第九条)."""
