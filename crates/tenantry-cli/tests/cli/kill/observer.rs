//! A connection of the administrator's that stays open, and looks at what goes on without going through us.

use mysql_async::prelude::Queryable as _;
use tenantry::engine::{Engine, NetworkAddress};
use tokio::task::JoinSet;
use tokio_postgres::SimpleQueryMessage;

use crate::database::{mysql, postgres};

/// An open connection to one database.
pub(super) enum Observer {
    Client(tokio_postgres::Client, JoinSet<()>),
    Conn(Box<mysql_async::Conn>),
}

impl Observer {
    pub(super) async fn connect(address: &NetworkAddress) -> Self {
        if address.engine == Engine::MySql {
            return Self::Conn(Box::new(mysql(address).await));
        }
        let mut tasks = JoinSet::new();
        let client = postgres(address, &mut tasks).await;
        Self::Client(client, tasks)
    }

    /// Returns the first column of what a statement finds, or why it was refused.
    pub(super) async fn try_list(&mut self, sql: &str) -> Result<Vec<String>, String> {
        match self {
            Self::Client(client, _tasks) => {
                let messages = client.simple_query(sql).await.map_err(|e| format!("{e:?}"))?;
                let rows = messages.iter().filter_map(|message| {
                    let SimpleQueryMessage::Row(row) = message else {
                        return None;
                    };
                    Some(row.get(0).unwrap_or("NULL").to_owned())
                });
                Ok(rows.collect())
            }
            Self::Conn(connection) => connection.query(sql).await.map_err(|e| e.to_string()),
        }
    }

    pub(super) async fn list(&mut self, sql: &str) -> Vec<String> {
        self.try_list(sql)
            .await
            .unwrap_or_else(|why| panic!("{sql}: {why}"))
    }

    /// Carries statements out, each by itself.
    pub(super) async fn carry_out(&mut self, statements: &[&str]) {
        for statement in statements {
            self.list(statement).await;
        }
    }
}
