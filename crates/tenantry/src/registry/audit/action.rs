//! What can be done to the registry: a closed list of words.

/// One kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A server was added.
    ServerAdd,
    /// Which databases a server takes was changed.
    ServerSet,
    /// A server's own endpoint behind a pooler was named or taken away.
    ServerDirect,
    /// A tenant was written, before its databases are made.
    TenantCreate,
    /// A tenant whose creation goes on was told anew.
    TenantUpdate,
    /// A tenant was put in use.
    TenantActivate,
    /// A tenant was taken offline.
    TenantSuspend,
    /// A tenant got another slug or name.
    TenantRename,
    /// A tenant is to be deleted when its grace is over.
    TenantDelete,
    /// A tenant that was to be deleted is not.
    TenantRestore,
    /// A tenant is gone, with all its databases.
    TenantDrop,
    /// A tenant is not registered any more, and its databases stay where they are.
    TenantRelease,
    /// A list of tenants that were there already was taken in, with their databases.
    TenantImport,
    /// A database's name and password were reserved.
    DatabaseReserve,
    /// A database is there and migrated.
    DatabaseReady,
    /// A product is to be taken from a tenant when its grace is over.
    DatabaseDelete,
    /// A product that was to be taken is not.
    DatabaseRestore,
    /// A database was dropped, and is confirmed to be gone.
    DatabaseDrop,
    /// A database is not registered any more, and stays where it is.
    DatabaseForget,
    /// A database is to get a new password, which is kept beside the present one.
    SecretBegin,
    /// A database has a new password.
    SecretRotate,
    /// A key was made the one that seals.
    KeyActivate,
    /// Secrets are sealed anew under the key that seals.
    KeyRewrap,
    /// A key was destroyed.
    KeyDestroy,
    /// A run was begun.
    RunStart,
    /// A run was asked to pause.
    RunPause,
    /// A run was asked to end.
    RunCancel,
    /// A run was asked to go on behind its wave.
    RunPromote,
    /// Something was declared about histories.
    HistoryMark,
}

impl Action {
    /// All of them, in the order in which a list shows them.
    pub const ALL: [Self; 29] = [
        Self::ServerAdd,
        Self::ServerSet,
        Self::ServerDirect,
        Self::TenantCreate,
        Self::TenantUpdate,
        Self::TenantActivate,
        Self::TenantSuspend,
        Self::TenantRename,
        Self::TenantDelete,
        Self::TenantRestore,
        Self::TenantDrop,
        Self::TenantRelease,
        Self::TenantImport,
        Self::DatabaseReserve,
        Self::DatabaseReady,
        Self::DatabaseDelete,
        Self::DatabaseRestore,
        Self::DatabaseDrop,
        Self::DatabaseForget,
        Self::SecretBegin,
        Self::SecretRotate,
        Self::KeyActivate,
        Self::KeyRewrap,
        Self::KeyDestroy,
        Self::RunStart,
        Self::RunPause,
        Self::RunCancel,
        Self::RunPromote,
        Self::HistoryMark,
    ];

    /// Returns the word in the audit and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServerAdd => "server.add",
            Self::ServerSet => "server.set",
            Self::ServerDirect => "server.direct",
            Self::TenantCreate => "tenant.create",
            Self::TenantUpdate => "tenant.update",
            Self::TenantActivate => "tenant.activate",
            Self::TenantSuspend => "tenant.suspend",
            Self::TenantRename => "tenant.rename",
            Self::TenantDelete => "tenant.delete",
            Self::TenantRestore => "tenant.restore",
            Self::TenantDrop => "tenant.drop",
            Self::TenantRelease => "tenant.release",
            Self::TenantImport => "tenant.import",
            Self::DatabaseReserve => "database.reserve",
            Self::DatabaseReady => "database.ready",
            Self::DatabaseDelete => "database.delete",
            Self::DatabaseRestore => "database.restore",
            Self::DatabaseDrop => "database.drop",
            Self::DatabaseForget => "database.forget",
            Self::SecretBegin => "secret.begin",
            Self::SecretRotate => "secret.rotate",
            Self::KeyActivate => "key.activate",
            Self::KeyRewrap => "key.rewrap",
            Self::KeyDestroy => "key.destroy",
            Self::RunStart => "run.start",
            Self::RunPause => "run.pause",
            Self::RunCancel => "run.cancel",
            Self::RunPromote => "run.promote",
            Self::HistoryMark => "history.mark",
        }
    }

    /// Reads the word that [`Self::as_str`] gives; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }

    /// Returns the kind of thing it is done to: the word before the dot.
    pub(super) fn kind(self) -> &'static str {
        let word = self.as_str();
        word.split_once('.').map_or(word, |(kind, _)| kind)
    }
}
