"""What is a secret in a configuration, by its name or by its look."""

from __future__ import annotations

from typing import Any

import pytest

from mlrecipe.migration.secrets import HIDDEN, Reference, references, without_secrets

SECRET = [
    "token", "key", "secret", "secrets", "credentials", "passwd", "pwd", "password", "bearer", "api_key",
    "apiKey", "API_KEY", "apikey", "wandb-api-key", "api_token", "hf_token", "accessToken", "auth_token",
    "use_auth_token", "client_secret", "secretAccessKey", "aws_access_key_id", "private_key", "db_password",
    "authorization", "GITHUB_TOKEN", "passphrase", "auth",
    "authToken",
]  # fmt: skip
PLAIN = [
    "key_padding", "tokenizer", "max_tokens", "tokens", "num_tokens", "token_type", "tokenizer_config",
    "pad_token", "eos_token", "decoder_start_token", "sort_key", "label_key", "keys", "monkey", "secretary",
    "author", "keyword", "password_column", "passes", "token_ids", "pad_token_id", "",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET)
def test_experiment_38_a_secret_is_known_by_its_name(name: str) -> None:
    """However the words of its name are put together."""
    assert without_secrets({name: "x1"}) == {name: HIDDEN}


@pytest.mark.parametrize("name", PLAIN)
def test_what_only_sounds_like_a_secret_is_none(name: str) -> None:
    """Words of tokenizers, counts and columns stay."""
    assert without_secrets({name: "x1"}) == {name: "x1"}


@pytest.mark.parametrize(
    "values",
    [{"token": 3}, {"use_auth_token": True}, {"token": "<s>"}, {"token": "[SEP]"}, {"api_key": None},
     {"password": ""}, {"key": ["a"]}, {"auth": False}],
)  # fmt: skip
def test_values_that_can_be_no_secrets_stay(values: dict[str, Any]) -> None:
    """Switches, numbers of tokens, tokens of a vocabulary, nothing."""
    assert without_secrets(values) == values


@pytest.mark.parametrize(
    "text",
    ["https://me:pw@host.org/x", "postgresql://u:p@db/x", "Bearer abcdefgh12", "hf_abcdefghijklmnopqrst",
     "ghp_0123456789abcdefghij", "sk-abcdefghijklmnop1234", "-----BEGIN RSA PRIVATE KEY-----\nx"],
)  # fmt: skip
def test_a_secret_is_known_by_its_look(text: str) -> None:
    """Passwords in addresses and tokens of well-known services, whatever they are called."""
    assert without_secrets({"a": ["x", text]}) == {"a": ["x", HIDDEN]}


@pytest.mark.parametrize(
    "text", ["https://host.org/x", "https://host.org:80/a@b", "sk-learn", "Basic English", "hf_ds"]
)
def test_other_texts_have_another_look(text: str) -> None:
    """Addresses and names are no secrets."""
    assert without_secrets([text]) == [text]


def test_all_below_a_secret_is_one() -> None:
    """Also where only a part of the table is shown."""
    table = {"user": "me", "port": 5432, "on": True}

    assert without_secrets({"credentials": table})["credentials"] == {
        "user": HIDDEN, "port": HIDDEN, "on": True,
    }  # fmt: skip
    assert without_secrets("me", ("db", "credentials", "user")) == HIDDEN


def test_a_secret_becomes_an_environment_variable() -> None:
    """Named after where it stands; two secrets never share one."""
    taken: dict[str, Any] = {}

    assert references("a", "train.loggers.my-comet.api_key", taken) == (
        "${secret:MY_COMET_API_KEY}", ["MY_COMET_API_KEY"],
    )  # fmt: skip
    assert references("b", "nodes.my_comet.api_key", taken)[1] == ["MY_COMET_API_KEY_2"]
    assert references("b", "model.9.token", taken)[1] == ["MODEL_9_TOKEN"]
    assert references({"x": 1}, "nodes.a.sizes", taken) == ({"x": 1}, [])
    assert isinstance(references("a", "nodes.1.token", taken)[0], Reference)
    assert taken["_1_TOKEN"] == "a"
