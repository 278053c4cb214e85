"""Where this deployment finds its database, its keys and its files. All from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """MINGZHANG_DSN, MINGZHANG_OWNER_DSN, MINGZHANG_DATA and so on: see .env.example."""

    model_config = SettingsConfigDict(env_prefix="MINGZHANG_", extra="ignore")

    dsn: str | None = None
    """The service's login. None: the embedded PostgreSQL in `data`."""
    owner_dsn: str | None = None
    """The owner's login, for migrations and keys. None: the same as `dsn`."""
    data: Path = Path("var")
    keys: Path | None = None
    log_name: str = Field("mingzhang.local/ledger", pattern=r"^[^\s+]+$")
    """What this log is called in its checkpoints; two counties need two names."""
    tree_hash: Literal["sha-256", "sm3"] = "sha-256"
    signing_key: Path | None = None
    """The key that checkpoints are signed with. None: beside the other keys."""
    log_key: str | None = None
    """The log's own vkey, where it is pinned by whoever starts the service."""
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)

    @property
    def key_file(self) -> Path:
        return self.keys or self.data / "keys.json"

    @property
    def signing_key_file(self) -> Path:
        return self.signing_key or self.key_file.with_name("signing-key.json")

    @property
    def column_folder(self) -> Path:
        """Where an organisation's own column titles stand: ORGANISATION.toml."""
        return self.data / "columns"
