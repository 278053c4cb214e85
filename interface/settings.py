"""Where this deployment finds its database, its keys and its files. All from the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """MINGZHANG_DSN, MINGZHANG_OWNER_DSN, MINGZHANG_DATA, MINGZHANG_KEYS, MINGZHANG_HOST/PORT."""

    model_config = SettingsConfigDict(env_prefix="MINGZHANG_", extra="ignore")

    dsn: str | None = None
    """The service's login. None: the embedded PostgreSQL in `data`."""
    owner_dsn: str | None = None
    """The owner's login, for migrations and keys. None: the same as `dsn`."""
    data: Path = Path("var")
    keys: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000

    @property
    def key_file(self) -> Path:
        return self.keys or self.data / "keys.json"

    @property
    def column_folder(self) -> Path:
        """Where an organisation's own column titles stand: ORGANISATION.toml."""
        return self.data / "columns"
