"""Secrets in a text: keys and tokens by the formats that their issuers publish, passwords by what stands before them.

A format is looked for only when one of its literal parts occurs, so a text without any costs microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["FORMATS", "redact_secrets", "secrets_in"]

#: (what it is, literal parts of which one must occur, the format). A group "value" is what is taken out, else all.
FORMATS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("private key", ("PRIVATE KEY",), r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[^-]*(?:-----END [A-Z0-9 ]{0,60}-----|\Z)?"),
    ("AWS key id", ("AKIA", "ASIA", "ABIA", "ACCA"), r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{36,251}\b"),
    ("GitHub token", ("github_pat_",), r"\bgithub_pat_[A-Za-z0-9_]{40,244}"),
    ("GitLab token", ("glpat-", "gldt-", "glrt-", "glptt-", "glft-"), r"\bgl(?:pat|dt|rt|ptt|ft)-[\w-]{20,}"),
    ("Slack token", ("xox",), r"\bxox[abeoprs]-[\w-]{10,}"),
    ("Slack token", ("xapp-",), r"\bxapp-\d-[\w-]{20,}"),
    ("Slack webhook", ("hooks.slack.com",), r"hooks\.slack\.com/(?:services|workflows)/[\w/-]{20,}"),
    ("Stripe key", ("k_live_", "k_test_"), r"\b[psr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("webhook secret", ("whsec_",), r"\bwhsec_[A-Za-z0-9+/=]{24,}"),
    ("API key", ("sk-",), r"\bsk-(?:[a-z0-9]+-)*[A-Za-z0-9_]{20,}[\w-]*"),
    ("Google key", ("AIza",), r"\bAIza[\w-]{35}"),
    ("Google secret", ("GOCSPX-",), r"\bGOCSPX-[\w-]{20,}"),
    ("Google token", ("ya29.",), r"\bya29\.[\w.-]{20,}"),
    ("Hugging Face token", ("hf_", "api_org_"), r"\b(?:hf_|api_org_)[A-Za-z0-9]{30,}"),
    ("npm token", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}"),
    ("PyPI token", ("pypi-",), r"\bpypi-[\w-]{50,}"),
    ("RubyGems key", ("rubygems_",), r"\brubygems_[0-9a-f]{48}"),
    ("SendGrid key", ("SG.",), r"\bSG\.[\w-]{20,24}\.[\w-]{39,50}"),
    ("Twilio key", ("SK", "AC"), r"\b(?:SK|AC)[0-9a-f]{32}\b"),
    ("Mailgun key", ("key-",), r"\bkey-[0-9a-f]{32}\b"),
    ("Mailchimp key", ("-us",), r"\b[0-9a-f]{32}-us\d{1,2}\b"),
    ("Telegram token", (":AA",), r"\b\d{8,10}:AA[\w-]{32,35}"),
    ("Discord token", (".",), r"\b[MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6}\.[A-Za-z\d_-]{27,}"),
    ("Discord webhook", ("/api/webhooks/",), r"discord(?:app)?\.com/api/webhooks/\d+/[\w-]{30,}"),
    ("JSON web token", ("eyJ",), r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    ("DigitalOcean token", ("_v1_",), r"\bdo[opr]_v1_[0-9a-f]{64}"),
    ("Shopify token", ("shpat_", "shpca_", "shppa_", "shpss_"), r"\bshp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}"),
    ("Square token", ("sq0", "EAAA"), r"\b(?:sq0[a-z]{3}-[\w-]{22,}|EAAA[\w-]{50,})"),
    ("Databricks token", ("dapi",), r"\bdapi[0-9a-f]{32}(?:-\d)?\b"),
    ("Azure key", ("AccountKey=", "SharedAccessKey="), r"(?:AccountKey|SharedAccessKey)=(?P<value>[A-Za-z0-9+/]{40,}={0,2})"),
    ("Azure signature", ("sig=",), r"[?&]sig=(?P<value>[A-Za-z0-9%+/]{40,})"),
    ("Linear key", ("lin_api_",), r"\blin_api_[A-Za-z0-9]{40}"),
    ("Notion token", ("secret_", "ntn_"), r"\b(?:secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,})"),
    ("Atlassian token", ("ATATT3", "ATCTT3"), r"\bAT[AC]TT3[\w=-]{60,}"),
    ("Airtable token", ("pat",), r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    ("New Relic key", ("NRAK-",), r"\bNRAK-[A-Z0-9]{27}"),
    ("Figma token", ("figd_",), r"\bfigd_[\w-]{40,}"),
    ("Postman key", ("PMAK-",), r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("Doppler token", ("dp.pt.", "dp.st."), r"\bdp\.[ps]t\.[\w.-]{40,}"),
    ("Vault token", ("hvs.", "hvb."), r"\bhv[sb]\.[\w-]{24,}"),
    ("Terraform token", (".atlasv1.",), r"\b[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,}"),
    ("Docker token", ("dckr_",), r"\bdckr_(?:pat|oat)_[\w-]{27,}"),
    ("Grafana token", ("glsa_", "glc_"), r"\b(?:glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_[A-Za-z0-9+/=]{32,})"),
    ("age key", ("AGE-SECRET-KEY-",), r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    ("Groq key", ("gsk_",), r"\bgsk_[A-Za-z0-9]{40,}"),
    ("Replicate token", ("r8_",), r"\br8_[A-Za-z0-9]{37}"),
    ("Supabase token", ("sbp_",), r"\bsbp_[0-9a-f]{40}"),
    ("Sentry token", ("sntry",), r"\bsntry[su]_[\w+/=-]{40,}"),
    ("PlanetScale token", ("pscale_",), r"\bpscale_(?:tkn|pw|oauth)_[\w.-]{32,}"),
    ("Perplexity key", ("pplx-",), r"\bpplx-[A-Za-z0-9]{40,}"),
    ("xAI key", ("xai-",), r"\bxai-[A-Za-z0-9]{60,}"),
    ("Facebook token", ("EAA",), r"\bEAA[A-Za-z0-9]{80,}"),
    ("Heroku key", ("HRKU-",), r"\bHRKU-[\w-]{36,}"),
    ("Fly token", ("FlyV1 ",), r"\bFlyV1 fm\d_[\w+/=,-]{40,}"),
    ("password in an address", ("://",), r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,64}:(?P<value>[^\s:/@]{3,128})@"),
    ("authorization header", ("earer ", "asic "), r"\b(?i:bearer|basic) (?P<value>[A-Za-z0-9._~+/-]{20,}={0,2})"),
)  # fmt: skip

#: What is named as a secret: the value needs a digit and a letter, so that prose about passwords stays prose.
_NAMES = (
    "passw",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "api-key",
    "apikey",
    "api key",
    "access_key",
    "private_key",
)
_NAMED = re.compile(
    r"(?i)\b[\w.-]{0,40}(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_ -]?key|access_key|private_key)[\w-]{0,20}"
    r"[\"']?\s*(?::=|[:=]|=>)\s*[\"'`]?(?P<value>(?=[^\s\"'`\d]{0,200}\d)(?=[^\s\"'`A-Za-z]{0,200}[A-Za-z])[^\s\"'`,;]{8,200})"
)  # fmt: skip
_COMPILED = tuple((what, parts, re.compile(form)) for what, parts, form in FORMATS)
_PARTS = tuple(dict.fromkeys(part for _, parts, _ in FORMATS for part in parts if part not in (".", "SK", "AC", "pat")))
_RARE = tuple(entry for entry in _COMPILED if set(entry[1]) <= {".", "SK", "AC", "pat"})
_LONG = re.compile(r"[\w.-]{32}")  # only in such a run can one of the formats without a telling part be


def secrets_in(text: str) -> list[str]:
    """What kinds of secrets a text holds, in the order of the formats."""
    return redact_secrets(text)[1]


def redact_secrets(text: str) -> tuple[str, list[str]]:
    """The text with each secret replaced by ``[redacted: what it was]``, and what was found."""
    found: list[str] = []
    if any(map(text.__contains__, _PARTS)):
        for what, parts, form in _COMPILED:
            if any(map(text.__contains__, parts)):
                text = form.sub(_replacement(what, found), text)
    elif _LONG.search(text):
        for what, _, form in _RARE:
            text = form.sub(_replacement(what, found), text)
    lower = text.lower()
    if any(map(lower.__contains__, _NAMES)):
        text = _NAMED.sub(_replacement("a named secret", found), text)
    return text, found


def _replacement(what: str, found: list[str]) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        whole = match.group()
        value = match.groupdict().get("value")
        if value is not None and value.startswith("[redacted"):
            return whole
        found.append(what)
        mark = f"[redacted: {what}]"
        if value is None:
            return mark
        start = match.start("value") - match.start()
        return whole[:start] + mark + whole[start + len(value) :]

    return replace
