"""Secrets and personal data are taken out of texts, and nothing else is."""

from __future__ import annotations

import random
import re
import string

import pytest

from hippo_agent.trust.pii import redact_pii
from hippo_agent.trust.secrets import redact_secrets

WORDS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def some(rng: random.Random, count: int, letters: str = WORDS) -> str:
    return "".join(rng.choices(letters, k=count - 3)) + rng.choice("abc") + rng.choice("123") + rng.choice("def")


#: Keys as their issuers make them: invented, of the published form.
MAKERS = {
    "AWS key id": lambda r: "AKIA" + "".join(r.choices(string.ascii_uppercase + "234567", k=16)),
    "GitHub classic": lambda r: r.choice(["ghp_", "gho_", "ghu_", "ghs_", "ghr_"]) + some(r, 36),
    "GitHub fine": lambda r: f"github_pat_{some(r, 22)}_{some(r, 59)}",
    "GitLab": lambda r: "glpat-" + some(r, 20),
    "Slack bot": lambda r: f"xoxb-{r.randrange(10**11, 10**12)}-{r.randrange(10**12, 10**13)}-{some(r, 24)}",
    "Slack app": lambda r: f"xapp-1-A{some(r, 10)}-{r.randrange(10**12)}-{some(r, 64, HEX)}",
    "Slack webhook": lambda r: f"https://hooks.slack.com/services/T{some(r, 8)}/B{some(r, 8)}/{some(r, 24)}",
    "Stripe": lambda r: r.choice(["sk_live_", "rk_live_", "sk_test_"]) + some(r, 24),
    "Stripe webhook": lambda r: "whsec_" + some(r, 32),
    "OpenAI": lambda r: "sk-" + some(r, 48),
    "OpenAI project": lambda r: "sk-proj-" + some(r, 64),
    "Anthropic": lambda r: f"sk-ant-api03-{some(r, 93)}AA",
    "Google": lambda r: "AIza" + some(r, 35),
    "Google secret": lambda r: "GOCSPX-" + some(r, 28),
    "Google token": lambda r: "ya29." + some(r, 80),
    "Hugging Face": lambda r: "hf_" + some(r, 34),
    "npm": lambda r: "npm_" + some(r, 36),
    "PyPI": lambda r: "pypi-AgEIcHlwaS5vcmc" + some(r, 120),
    "RubyGems": lambda r: "rubygems_" + some(r, 48, HEX),
    "SendGrid": lambda r: f"SG.{some(r, 22)}.{some(r, 43)}",
    "Twilio": lambda r: "SK" + some(r, 32, HEX),
    "Mailgun": lambda r: "key-" + some(r, 32, HEX),
    "Mailchimp": lambda r: f"{some(r, 32, HEX)}-us{r.randrange(1, 20)}",
    "Telegram": lambda r: f"{r.randrange(10**8, 10**9)}:AA{some(r, 33)}",
    "Discord": lambda r: f"M{some(r, 23)}.{some(r, 6)}.{some(r, 27)}",
    "Discord webhook": lambda r: f"https://discord.com/api/webhooks/{r.randrange(10**17, 10**18)}/{some(r, 68)}",
    "JWT": lambda r: f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI{some(r, 20)}.{some(r, 43)}",
    "DigitalOcean": lambda r: "dop_v1_" + some(r, 64, HEX),
    "Shopify": lambda r: "shpat_" + some(r, 32, HEX),
    "Square": lambda r: "sq0atp-" + some(r, 22),
    "Databricks": lambda r: "dapi" + some(r, 32, HEX),
    "Azure": lambda r: f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={some(r, 86)}==",
    "Linear": lambda r: "lin_api_" + some(r, 40),
    "Notion": lambda r: "secret_" + some(r, 43),
    "Atlassian": lambda r: "ATATT3" + some(r, 180),
    "Airtable": lambda r: f"pat{some(r, 14)}.{some(r, 64, HEX)}",
    "New Relic": lambda r: "NRAK-" + "".join(r.choices(string.ascii_uppercase + string.digits, k=27)),
    "Figma": lambda r: "figd_" + some(r, 44),
    "Postman": lambda r: f"PMAK-{some(r, 24, HEX)}-{some(r, 34, HEX)}",
    "Doppler": lambda r: "dp.pt." + some(r, 43),
    "Vault": lambda r: "hvs." + some(r, 90),
    "Terraform": lambda r: f"{some(r, 14)}.atlasv1.{some(r, 67)}",
    "Docker": lambda r: "dckr_pat_" + some(r, 27),
    "Grafana": lambda r: f"glsa_{some(r, 32)}_{some(r, 8, HEX)}",
    "age": lambda r: "AGE-SECRET-KEY-1" + "".join(r.choices("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", k=58)),
    "Groq": lambda r: "gsk_" + some(r, 52),
    "Replicate": lambda r: "r8_" + some(r, 37),
    "Supabase": lambda r: "sbp_" + some(r, 40, HEX),
    "Sentry": lambda r: "sntrys_" + some(r, 64),
    "PlanetScale": lambda r: "pscale_tkn_" + some(r, 43),
    "address": lambda r: f"postgres://app:{some(r, 12)}@db.example.com/app",
    "bearer": lambda r: f"Authorization: Bearer {some(r, 40)}",
    "named": lambda r: f'{r.choice(["password", "API_KEY", "client_secret", "db.passwd"])}{r.choice([": ", "=", " = "])}"{some(r, 14)}"',
    "private key": lambda r: f"-----BEGIN RSA PRIVATE KEY-----\n{some(r, 64)}\n{some(r, 64)}\n-----END RSA PRIVATE KEY-----",
}  # fmt: skip
SENTENCES = ("{}", "Use {} for the deploy.", "the key is {}\nkeep it safe", "config:\n  value: {}\n", "({}), please.")


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_key_of_every_format_is_taken_out_of_any_sentence(name: str) -> None:
    rng = random.Random(name)
    for _ in range(20):
        secret = MAKERS[name](rng)
        value = max(re.findall(r"[A-Za-z0-9]+", secret), key=len)
        for sentence in SENTENCES:
            text, found = redact_secrets(sentence.format(secret))
            assert found, text
            assert "[redacted: " in text
            assert value[-12:] not in text, text


@pytest.mark.parametrize(
    "text",
    [
        "Ada moved to Lisbon on 3 May.",
        "My password is on the yellow note, as always.",
        "The secret: patience and butter.",
        "He asked for the token, then for the key to the shed.",
        "See https://example.com/user/profile?id=12345&page=2 for more.",
        "The commit is 3f786850e387550fdab836ed7e6dc881de23001b and it broke the build.",
        "sk-learn is a nickname; scikit-learn is the package.",
        "Her e-mail is ada@example.com and her phone is +351 21 123 4567.",
        "The file lies in /home/ada/projects/2024-05-07/notes-final-v2.txt",
        "A uuid: 123e4567-e89b-12d3-a456-426614174000.",
        "Token bucket: 12 per second. Password policy: at least 12 characters.",
    ],
)
def test_prose_and_numbers_stay_as_they_are(text: str) -> None:
    assert redact_secrets(text) == (text, [])


def test_the_words_around_a_secret_stay_and_twice_is_as_once() -> None:
    text, found = redact_secrets("url postgres://app:hunter2hunter2@db/app, key AKIAIOSFODNN7EXAMPLE.")
    assert text == "url postgres://app:[redacted: password in an address]@db/app, key [redacted: AWS key id]."
    assert found == ["AWS key id", "password in an address"]
    assert redact_secrets(text) == (text, [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Write to ada.k@mail.example.org!", "Write to [redacted: e-mail address]!"),
        ("Card 4111 1111 1111 1111, thanks", "Card [redacted: card number], thanks"),
        ("IBAN DE89 3704 0044 0532 0130 00 it is", "IBAN [redacted: bank account] it is"),
        ("ssn 219-09-9999", "ssn [redacted: social security number]"),
        ("call +351 21 123 4567 now", "call [redacted: telephone number] now"),
        ("from 192.168.0.17", "from [redacted: network address]"),
        ("Card 4111 1111 1111 1112 has a wrong digit", "Card 4111 1111 1111 1112 has a wrong digit"),
        ("On 2024-05-07 we paid 1200 for 12 chairs.", "On 2024-05-07 we paid 1200 for 12 chairs."),
    ],
)
def test_personal_data_of_a_known_form_is_taken_out(text: str, wanted: str) -> None:
    assert redact_pii(text)[0] == wanted


def test_long_texts_take_no_long_time() -> None:
    """Worst cases of the formats, 200,000 characters each: this returns, or the suite hangs."""
    for part in (
        "sk-a",
        "eyJ",
        "://a:",
        "password=",
        "-----BEGIN PRIVATE KEY-----",
        "AKIA",
        "M" * 24 + ".",
        "1 2",
        "a@",
        "::1",
    ):
        text = part * (200_000 // len(part))
        redact_secrets(text)
        redact_pii(text)
