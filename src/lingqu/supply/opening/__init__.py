# SPDX-License-Identifier: Apache-2.0
"""开放 opening: what public data is given to everyone, and where it is listed.

A yearly **list** says what is opened: each line is proposed on the criteria of priority, confirmed,
and published. Under a published line a **file** is opened: a whole loaded table, or a **crosswalk**
of two code books, with the loads it was made from. **Catalogs** elsewhere get what is open as one
DCAT document, and what they report back is reconciled, file by file.

Start reading in `lists`, then `recipes`, `files` and `catalogs`.
"""

from lingqu.supply.opening import dcat as dcat
from lingqu.supply.opening.catalogs import (
    CatalogEntry,
    CatalogId,
    CatalogStatus,
    OpenCatalog,
    Reported,
    find_catalog_entries,
    find_catalogs,
    reconcile_catalog,
    register_catalog,
    write_catalog,
)
from lingqu.supply.opening.files import (
    OPEN_BYTES_MOST,
    BadOpenFile,
    FilePlan,
    OpenFile,
    OpenFileId,
    OpenFileMade,
    OpenFileNotFound,
    find_files,
    get_file,
    plan_file,
    publish_file,
    read_lineage,
    withdraw_file,
)
from lingqu.supply.opening.lists import (
    EntryState,
    NewEntry,
    OpenEntry,
    OpenEntryId,
    check_entries,
    confirm_entry,
    find_entries,
    get_entry,
    propose_entries,
    propose_entry,
    publish_list,
)
from lingqu.supply.opening.recipes import (
    Ancestor,
    Built,
    Recipe,
    build_crosswalk,
    build_table,
)

__all__ = (
    "OPEN_BYTES_MOST",
    "Ancestor",
    "BadOpenFile",
    "Built",
    "CatalogEntry",
    "CatalogId",
    "CatalogStatus",
    "EntryState",
    "FilePlan",
    "NewEntry",
    "OpenCatalog",
    "OpenEntry",
    "OpenEntryId",
    "OpenFile",
    "OpenFileId",
    "OpenFileMade",
    "OpenFileNotFound",
    "Recipe",
    "Reported",
    "build_crosswalk",
    "build_table",
    "check_entries",
    "confirm_entry",
    "dcat",
    "find_catalog_entries",
    "find_catalogs",
    "find_entries",
    "find_files",
    "get_entry",
    "get_file",
    "plan_file",
    "propose_entries",
    "propose_entry",
    "publish_file",
    "publish_list",
    "read_lineage",
    "reconcile_catalog",
    "register_catalog",
    "withdraw_file",
    "write_catalog",
)
