//! The registry's keys on every engine: one seals at a time, and every secret can come under it.

use tenantry::Code;
use tenantry::engine::{DirectEndpoint, Place};
use tenantry::registry::{KeyState, RegistryError, RewrapProgress, Rotation};
use tenantry::secret::{Key, KeyId, KeyRing};

use super::{Central, new_server, provisioned};

super::on_every_engine!(
    every_secret_comes_under_a_new_key,
    two_that_rotate_at_once_leave_one_key_that_seals,
    a_registry_takes_the_first_key_that_seals,
    a_server_with_an_old_ring_gets_no_secret,
);

/// Makes rings of the same keys, again and again.
struct Keys(Vec<[u8; 32]>);

impl Keys {
    fn new(n: u8) -> Self {
        Self((1..=n).map(|byte| [byte; 32]).collect())
    }

    fn key(&self, at: usize) -> Key {
        Key::parse(&self.0[at]).unwrap()
    }

    fn id(&self, at: usize) -> KeyId {
        self.key(at).id()
    }

    fn ring(&self, order: &[usize]) -> KeyRing {
        let (first, others) = order.split_first().unwrap();
        others.iter().fold(KeyRing::new(self.key(*first)), |ring, at| {
            ring.with_older(self.key(*at))
        })
    }
}

async fn every_secret_comes_under_a_new_key(central: Central) {
    let keys = Keys::new(2);
    let old = central.open().await.unwrap().with_keys(keys.ring(&[0]));
    let mut server = new_server("eu-db-1");
    let Place::Network { direct, .. } = &mut server.place else {
        panic!("a server on the network")
    };
    *direct = Some(DirectEndpoint {
        host: "db1-itself.example.test".to_owned(),
        port: 6543,
    });
    old.add_server(&server).await.unwrap();
    let mut tenants = Vec::new();
    for number in 0..5 {
        tenants.push(provisioned(&old, &format!("t{number}"), "eu-db-1").await);
    }

    let new = central.open().await.unwrap().with_keys(keys.ring(&[1, 0]));
    let begun = new.rotation().await.unwrap();
    let instead_of = Some(keys.id(0));
    assert_eq!(begun, Rotation::Begun { instead_of });
    new.activate_key(keys.id(1), instead_of).await.unwrap();
    let mut told = Vec::new();
    let done = new
        .rewrap(&mut |progress: RewrapProgress| told.push(progress))
        .await
        .unwrap();
    assert_eq!((done.renewed, done.unopened.len()), (7, 0));
    assert_eq!(told.last(), Some(&RewrapProgress { done: 7, of: 7 }));
    assert_eq!(new.rewrap(&mut |_| ()).await.unwrap().renewed, 0);

    new.destroy_key(keys.id(0)).await.unwrap();
    let listed = new.keys().await.unwrap();
    let states: Vec<_> = listed
        .iter()
        .map(|key| (key.id, key.state, key.secrets))
        .collect();
    assert_eq!(
        states,
        [
            (keys.id(1), Some(KeyState::Active), 7),
            (keys.id(0), Some(KeyState::Destroyed), 0)
        ]
    );
    let only_new = central.open().await.unwrap().with_keys(keys.ring(&[1]));
    only_new.find_server("eu-db-1").await.unwrap();
    for tenant in &tenants {
        assert_eq!(only_new.databases_of(&tenant.id).await.unwrap().len(), 1);
    }
    assert_eq!(only_new.verify_audit(None).await.unwrap().findings, []);
}

async fn two_that_rotate_at_once_leave_one_key_that_seals(central: Central) {
    let keys = Keys::new(3);
    let registry = central.open().await.unwrap().with_keys(keys.ring(&[0]));
    assert_eq!(registry.rotation().await.unwrap(), Rotation::NeedsKey);
    let instead_of = Some(keys.id(0));
    let (one, two) = tokio::join!(
        registry.activate_key(keys.id(1), instead_of),
        registry.activate_key(keys.id(2), instead_of)
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let refused = one.err().or(two.err()).unwrap();
    assert!(matches!(refused, RegistryError::KeyChanged), "{refused:?}");
    let listed = registry.keys().await.unwrap();
    let active = listed.iter().filter(|key| key.state == Some(KeyState::Active));
    assert_eq!((active.count(), listed.len()), (1, 2));
}

async fn a_registry_takes_the_first_key_that_seals(central: Central) {
    let keys = Keys::new(2);
    let registry = central.open().await.unwrap().with_keys(keys.ring(&[0]));
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    assert_eq!(registry.keys().await.unwrap()[0].state, Some(KeyState::Active));
    // As it was left by a version that remembered no keys.
    central.execute("DELETE FROM tenantry_keys").await;
    let strange = central.open().await.unwrap().with_keys(keys.ring(&[1]));
    let refused = strange.add_server(&new_server("eu-db-2")).await.unwrap_err();
    assert!(matches!(refused, RegistryError::WrongKey { .. }), "{refused:?}");
    registry.add_server(&new_server("eu-db-2")).await.unwrap();
    let listed = registry.keys().await.unwrap();
    assert_eq!(
        (listed[0].id, listed[0].state),
        (keys.id(0), Some(KeyState::Active))
    );
}

async fn a_server_with_an_old_ring_gets_no_secret(central: Central) {
    let keys = Keys::new(2);
    let old = central.open().await.unwrap().with_keys(keys.ring(&[0]));
    old.add_server(&new_server("eu-db-1")).await.unwrap();
    old.activate_key(keys.id(1), Some(keys.id(0))).await.unwrap();
    for refused in [
        old.add_server(&new_server("eu-db-2")).await.map(|_| ()),
        old.set_direct("eu-db-1", None).await.map(|_| ()),
        old.check_key().await,
        old.rewrap(&mut |_| ()).await.map(|_| ()),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.code(), Code(7005), "{error:?}");
        assert!(error.to_string().contains(&keys.id(1).to_string()), "{error}");
    }
    assert_eq!(old.servers().await.unwrap().len(), 1);
    let in_use = old.destroy_key(keys.id(0)).await.unwrap_err();
    assert!(
        matches!(in_use, RegistryError::KeyInUse { secrets: 1, .. }),
        "{in_use:?}"
    );
}
