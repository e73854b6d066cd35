"""What a training run logs: a CSV table and TensorBoard events, both continued by a resumed run."""

import csv
import io
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from gpip.core.files import write_text


class History:
    """Rows of numbers by step. The table is written whole, so that a resumed run never repeats a row."""

    def __init__(self, table: Path, events: Path, columns: list[str], rows: list[dict[str, Any]]):
        self.table, self.columns, self.rows = table, columns, rows
        first_new_step = rows[-1]["step"] + 1 if rows else 0
        self._writer = SummaryWriter(str(events), purge_step=first_new_step)

    def add(self, row: dict[str, Any]) -> None:
        unknown = set(row) - set(self.columns)
        assert not unknown, f"not a column of {self.table.name}: {unknown}"
        self.rows.append(row)
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(name, value, row["step"])

    def write(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, restval="")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.table, text.getvalue())
        self._writer.flush()

    def close(self) -> None:
        self.write()
        self._writer.close()
