"""Who is at work on which table, and ending the lease of a run that is not."""

from wmtui.errors import LeaseNotFound, WmtuiError
from wmtui.service.workspace import Workspace
from wmtui.watermarks import lease
from wmtui.watermarks.lease import Heartbeat


class Locks:
    """The leases of every configured table."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def held(self) -> list[Heartbeat | WmtuiError]:
        """The leases of live runs and of dead ones that no run has taken over yet, and why a lock document cannot be
        told, in the order of tables.yaml.
        """
        locks = self._workspace.each_or_error(self._workspace.heartbeat, self._workspace.settings.tables)
        return [lock for lock in locks if isinstance(lock, WmtuiError) or lock.lease_id is not None]

    def find(self, lease_id: str) -> Heartbeat:
        """The lease of this id; raises Conflict when it holds no table."""
        for lock in self.held():
            if isinstance(lock, Heartbeat) and lock.lease_id == lease_id:
                return lock
        raise LeaseNotFound(
            f"{lease_id} holds no table",
            "it ended, another run has taken over, or the id is mistyped",
            "see who holds what with `wmtui locks`",
        )

    def unlock(self, lock: Heartbeat, *, reason: str | None = None) -> None:
        """Break a lease that `find` found. Its run, if it is alive, notices within seconds and writes nothing more.

        Raises Conflict when it is no longer the holder.
        """
        workspace = self._workspace
        workspace.require_write(reason)
        workspace.watermarks.require_conditions()
        lease.unlock(workspace.objects, workspace.clock, workspace.author, lock, reason)
