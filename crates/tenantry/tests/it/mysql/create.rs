//! Creating databases: repeatable, never on somebody else's, and never with a password in a log.

use mysql_async::prelude::Queryable as _;
use tenantry::engine::{self, Address, CreateError, Engine, Login, NetworkAddress, NewDatabase, Tls};
use tenantry::plan::Goal;

use super::fixture::{Database, Server, migrate_on, track, unique};

fn new(name: &str, password: &str) -> NewDatabase {
    NewDatabase {
        name: name.to_owned(),
        login: Some(Login {
            user: name.to_owned(),
            password: password.to_owned().into(),
        }),
        database_id: format!("id-{name}"),
        tenant_id: "tenant".to_owned(),
        registry_id: "registry".to_owned(),
    }
}

async fn create(server: &Server, admin: &Login, new: &NewDatabase) -> Result<(), CreateError> {
    let place = NetworkAddress {
        engine: Engine::MySql,
        host: server.host.clone(),
        port: server.port,
        tls: Tls::Disable,
        direct: None,
        database: "mysql".to_owned(),
        login: admin.clone(),
    };
    engine::create_database(&Address::Network(place), new).await
}

async fn clear(server: &Server, name: &str) {
    let mut admin = server.admin().await;
    for sql in [
        format!("DROP DATABASE IF EXISTS `{name}`"),
        format!("DROP USER IF EXISTS '{name}'@'%'"),
    ] {
        admin.query_drop(sql).await.unwrap();
    }
}

#[tokio::test]
async fn a_database_is_created_once_and_its_user_can_migrate_it_and_nothing_else() {
    let Some(db) = Database::create().await else {
        return;
    };
    let server = db.server.clone();
    let name = unique("t_new");
    let password = format!("canary-{name}-'\"\\é");
    let new = new(&name, &password);
    create(&server, &server.login(), &new).await.unwrap();
    let mut address = NetworkAddress {
        engine: Engine::MySql,
        host: server.host.clone(),
        port: server.port,
        tls: Tls::Disable,
        direct: None,
        database: name.clone(),
        login: new.login.clone().unwrap(),
    };
    let mut options = db.options();
    options.database_id.clone_from(&new.database_id);
    let files = track(&[("CREATE TABLE a (n INT);\n", None)]);
    let mut session = engine::open(&Address::Network(address.clone()), &options)
        .await
        .unwrap();
    migrate_on(session.as_mut(), &files, &Goal::Head).await.unwrap();
    // Again, with what is in it.
    create(&server, &server.login(), &new).await.unwrap();
    // `_` in the grant is no wildcard: another database of the same shape stays shut.
    let like = name.replace("t_new", "tXnew");
    create(&server, &server.login(), &super::create::new(&like, "x"))
        .await
        .unwrap();
    address.database.clone_from(&like);
    assert!(
        engine::open(&Address::Network(address), &options).await.is_err(),
        "the user reaches {like}"
    );
    if let Some(log) = &server.log {
        let log = std::fs::read(log).unwrap();
        let seen = |text: &str| log.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(
            seen(&name) && !seen("canary-"),
            "the password is in the server's log"
        );
    }
    clear(&server, &name).await;
    clear(&server, &like).await;
    db.drop().await;
}

#[tokio::test]
async fn a_database_that_is_not_ours_is_a_conflict_and_stays_as_it_is() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    db.run("CREATE TABLE theirs (n INT)").await;
    let mut new = new(&db.name, "x");
    new.login = None;
    let error = create(&db.server, &db.server.login(), &new).await.unwrap_err();
    assert!(matches!(error, CreateError::Conflict { .. }), "{error:?}");
    assert_eq!(db.rows::<String>("SHOW TABLES").await, ["theirs"]);
    db.drop().await;
}

#[tokio::test]
async fn a_login_without_the_right_is_told_what_to_grant() {
    let Some(server) = Server::find() else { return };
    let name = unique("t_weak");
    let weak = new(&name, "x");
    create(&server, &server.login(), &weak).await.unwrap();
    let error = create(&server, &weak.login.unwrap(), &new("t_never", "x"))
        .await
        .unwrap_err();
    let CreateError::Denied { reason, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(reason.contains("GRANT ALL PRIVILEGES ON *.*"), "{reason}");
    clear(&server, &name).await;
}

/// A user that we did not make may have the name that a template gives.
#[tokio::test]
async fn somebody_elses_user_is_a_conflict_and_keeps_password_and_rights() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let name = unique("t_theirs");
    let quoted = db.name.replace('`', "``");
    let (user, grant) = (
        format!("CREATE USER '{name}'@'%' IDENTIFIED BY 'their own'"),
        format!("GRANT SELECT ON `{quoted}`.* TO '{name}'@'%'"),
    );
    for sql in [user, grant] {
        db.run(&sql).await;
    }
    let account = format!("SHOW GRANTS FOR '{name}'@'%'");
    let before = db.rows::<String>(&account).await;
    assert_eq!(before.len(), 2, "{before:?}");
    let error = create(&db.server, &db.server.login(), &new(&name, "ours"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, CreateError::Conflict { what: "user", name: found, .. } if *found == name),
        "{error:?}"
    );
    assert_eq!(db.rows::<String>(&account).await, before);
    clear(&db.server, &name).await;
    db.drop().await;
}

#[tokio::test]
async fn a_user_that_we_made_and_gave_nothing_yet_is_continued() {
    let Some(server) = Server::find() else { return };
    let name = unique("t_half");
    let new = new(&name, "ours");
    create(&server, &server.login(), &new).await.unwrap();
    let mut admin = server.admin().await;
    admin
        .query_drop(format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM '{name}'@'%'"))
        .await
        .unwrap();
    create(&server, &server.login(), &new).await.unwrap();
    let grants: Vec<String> = admin
        .query(format!("SHOW GRANTS FOR '{name}'@'%'"))
        .await
        .unwrap();
    assert_eq!(grants.len(), 2, "{grants:?}");
    clear(&server, &name).await;
}
