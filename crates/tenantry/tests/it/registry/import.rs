//! Lists that are taken in: whole or not at all, also beside others, and opened again as they were given.

use std::fmt::Write as _;

use secrecy::ExposeSecret as _;
use tenantry::Selection;
use tenantry::engine::Address;
use tenantry::import::{Entry, ImportError, Rules, Source, read};
use tenantry::registry::{Import, Imported, Registry, RegistryError, Tier};
use tokio::task::JoinSet;

use super::{Central, new_server};

super::on_every_engine!(
    what_was_taken_in_is_opened_as_it_was_given,
    a_list_that_is_longer_than_a_statement_is_one_change,
    the_same_list_from_several_at_once_is_there_once,
    lists_that_contradict_each_other_leave_one_of_them,
    without_a_key_nothing_is_looked_at,
);

/// Makes the entries of a list of tenants from `first` on; `word` is in all of their names.
async fn entries(registry: &Registry, word: &str, range: std::ops::Range<usize>) -> Vec<Entry> {
    let mut text = "id,slug,domain,server,db_name,db_username,db_password\n".to_owned();
    for n in range {
        writeln!(
            text,
            "{word}-id-{n},{word}-{n},{word}-{n}.example,eu-db-1,{word}-{n}-Shared,U.{n},p%@'-{n}-ü"
        )
        .unwrap();
    }
    let servers = registry.servers().await.unwrap();
    read(&Source::Csv(text.as_bytes()), &Rules::default(), &servers)
        .unwrap()
        .entries
}

async fn with_server(central: &Central) -> Registry {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    registry
}

async fn what_was_taken_in_is_opened_as_it_was_given(central: Central) {
    let registry = with_server(&central).await;
    let list = entries(&registry, "t", 0..3).await;
    let looked = registry.import(&list, Import::Checks).await.unwrap();
    assert_eq!((looked.tenants, looked.there), (3, 0));
    assert!(registry.tenants(&Selection::default()).await.unwrap().is_empty());
    assert_eq!(registry.import(&list, Import::Writes).await.unwrap(), looked);
    let targets = registry
        .targets(&Selection::default(), Tier::Tenant)
        .await
        .unwrap();
    assert_eq!((targets.targets.len(), targets.locked.len()), (3, 0));
    for (n, target) in targets.targets.iter().enumerate() {
        let Address::Network(at) = &target.address else {
            panic!("{target:?}")
        };
        assert_eq!(
            (at.database.as_str(), at.login.user.as_str()),
            (&*format!("t-{n}-Shared"), &*format!("U.{n}"))
        );
        assert_eq!(at.login.password.expose_secret(), format!("p%@'-{n}-ü"));
    }
    let again = registry.import(&list, Import::Writes).await.unwrap();
    assert_eq!((again.tenants, again.there), (0, 3));
}

async fn a_list_that_is_longer_than_a_statement_is_one_change(central: Central) {
    let registry = with_server(&central).await;
    let before = registry.audit_behind(0).await.unwrap().len();
    let list = entries(&registry, "t", 0..2_500).await;
    registry.import(&list, Import::Writes).await.unwrap();
    assert_eq!(
        registry.tenants(&Selection::default()).await.unwrap().len(),
        2_500
    );
    let rows = registry.audit_behind(0).await.unwrap();
    assert_eq!(rows.len(), before + 1);
    let row = rows.last().unwrap();
    assert_eq!(
        (row.action.as_str(), row.name.as_str()),
        ("tenant.import", "2500 tenants")
    );
    assert!(!format!("{row:?}").contains("p%@"), "{row:?}");
    registry.import(&list, Import::Writes).await.unwrap();
    assert_eq!(
        registry.audit_behind(0).await.unwrap().len(),
        rows.len(),
        "nothing was changed"
    );
}

/// Takes lists in at the same moment.
async fn at_once(registry: &Registry, lists: Vec<Vec<Entry>>) -> Vec<Result<Imported, ImportError>> {
    let mut tasks = JoinSet::new();
    for list in lists {
        let registry = registry.clone();
        tasks.spawn(async move { registry.import(&list, Import::Writes).await });
    }
    tasks.join_all().await
}

async fn the_same_list_from_several_at_once_is_there_once(central: Central) {
    let registry = with_server(&central).await;
    let list = entries(&registry, "t", 0..200).await;
    let ended = at_once(&registry, vec![list.clone(), list.clone(), list.clone()]).await;
    let written = ended
        .iter()
        .filter(|ended| ended.as_ref().is_ok_and(|done| done.tenants == 200));
    assert_eq!(written.count(), 1, "{ended:?}");
    for ended in &ended {
        let is_fine = match ended {
            Ok(done) => done.tenants + done.there == 200,
            Err(error) => is_beaten(error),
        };
        assert!(is_fine, "{ended:?}");
    }
    assert_eq!(registry.import(&list, Import::Writes).await.unwrap().there, 200);
}

/// Returns whether another one was faster: it has what is wanted, or the database chose between the two.
fn is_beaten(error: &ImportError) -> bool {
    matches!(error, ImportError::Meanwhile(_) | ImportError::Rows(_))
        || matches!(error, ImportError::Registry(RegistryError::Database(said)) if said.transient)
}

async fn lists_that_contradict_each_other_leave_one_of_them(central: Central) {
    let registry = with_server(&central).await;
    let one = entries(&registry, "a", 0..300).await;
    let mut other = entries(&registry, "b", 0..300).await;
    other[299].slug = one[299].slug.clone();
    let ended = at_once(&registry, vec![one, other]).await;
    assert_eq!(ended.iter().filter(|ended| ended.is_ok()).count(), 1, "{ended:?}");
    let lost = ended.iter().find_map(|ended| ended.as_ref().err()).unwrap();
    assert!(is_beaten(lost), "{lost:?}");
    let tenants = registry.tenants(&Selection::default()).await.unwrap();
    assert_eq!(tenants.len(), 300);
    let word = &tenants[0].id.as_str()[..1];
    assert!(tenants.iter().all(|tenant| tenant.id.as_str().starts_with(word)));
}

async fn without_a_key_nothing_is_looked_at(central: Central) {
    let registry = with_server(&central).await;
    let list = entries(&registry, "t", 0..1).await;
    let keyless = central.open().await.unwrap();
    for wanted in [Import::Checks, Import::Writes] {
        let refused = keyless.import(&list, wanted).await.unwrap_err();
        assert!(
            matches!(refused, ImportError::Registry(RegistryError::KeyNeeded { .. })),
            "{refused:?}"
        );
    }
}
