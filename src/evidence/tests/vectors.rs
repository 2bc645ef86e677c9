//! Values that others have computed.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

use super::{super::*, key};
use crate::evidence::merkle::{Tree, leaf};

/// RFC 9162's tree is RFC 6962's; these are the leaves and roots of the reference implementation's tests.
#[test]
fn roots_are_those_of_certificate_transparency() {
    let leaves = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut tree = Tree::default();
    for (data, root) in leaves.iter().zip(roots) {
        tree.push(leaf(&HEXLOWER.decode(data.as_bytes()).unwrap()), false);
        assert_eq!(HEXLOWER.encode(&tree.root().0), root, "{} leaves", tree.size());
    }
}

#[test]
fn a_proof_holds_in_its_tree_and_in_no_other() {
    for size in 1..=40_u64 {
        let mut tree = Tree::default();
        for i in 0..size {
            tree.push(leaf(&i.to_be_bytes()), true);
        }
        let (root, proofs) = tree.root();
        assert_eq!(proofs.len() as u64, size);
        for proof in proofs {
            assert_eq!(proof.root(size), Some(root), "{proof:?} of {size}");
            let mut moved = proof.clone();
            moved.index ^= 1;
            assert_ne!(moved.root(size), Some(root));
            let mut other = proof.clone();
            other.leaf[7] ^= 1;
            assert_ne!(other.root(size), Some(root));
            let mut longer = proof.clone();
            longer.path.push([0; 32]);
            assert_ne!(longer.root(size), Some(root));
            if !proof.path.is_empty() {
                let mut shorter = proof.clone();
                shorter.path.pop();
                assert_ne!(shorter.root(size), Some(root));
            }
        }
    }
}

/// RFC 8032 §7.1, test 1.
#[test]
fn signatures_are_those_of_rfc_8032() {
    let seed = "ed25519-secret:9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let key: SigningKey = seed.parse().unwrap();
    let public = "ed25519-public:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    assert_eq!(key.public().to_string(), public);
    assert_eq!(
        key.sign(""),
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    );
}

#[test]
fn the_secret_key_shows_nowhere_and_is_not_taken_for_the_public_one() {
    let text = SigningKey::text_of(&[0x5a; 32]);
    let key: SigningKey = format!("{text}\n").parse().unwrap();
    assert!(!format!("{key:?}").contains("5a5a"));
    for wrong in [text.as_str(), "5a5a", "ed25519-public:5a", "ed25519-public:XY"] {
        let error = wrong.parse::<PublicKey>().unwrap_err().to_string();
        assert!(error.contains("ed25519-public:") && !error.contains("5a5a"), "{error}");
    }
    assert!(key.public().to_string().parse::<SigningKey>().is_err());
}

#[test]
fn canonical_json_is_that_of_rfc_8785() {
    let object = json!({ "b": [true, 2, "é\u{1f}\"\\/\n"], "a": {}, "B": "\u{7f}" });
    let Value::Object(object) = object else { unreachable!() };
    let text = "{\"B\":\"\u{7f}\",\"a\":{},\"b\":[true,2,\"é\\u001f\\\"\\\\/\\n\"]}";
    assert_eq!(canonical::write(&object).as_deref(), Some(text));
    for bad in [json!(1.5), json!(-1), json!(null), json!(1_u64 << 53)] {
        assert_eq!(canonical::write(&Map::from_iter([("a".to_owned(), bad)])), None);
    }
}

/// So that other languages have something to test against: the README's recipe must give the same.
#[test]
fn a_checkpoint_never_changes_its_form() {
    let checkpoint = Checkpoint {
        project: "p".to_owned(),
        events: 2,
        last_event: "1-0".to_owned(),
        chain_hash: "c".to_owned(),
        root: "r".to_owned(),
        at: "2026-11-18T10:00:00Z".to_owned(),
    };
    let line = checkpoint.sign(&key(7)).unwrap();
    let (public, id) = (key(7).public(), key(7).public().id());
    let unsigned = format!(
        r#"{{"at":"2026-11-18T10:00:00Z","chain_hash":"c","events":2,"key_id":"{id}","last_event":"1-0","project":"p","public_key":"{public}","root":"r","statement":"gdpr-worker/checkpoint/1"}}"#
    );
    let signature = key(7).sign(&unsigned);
    let signed =
        unsigned.replace(r#","statement""#, &format!(r#","signature":"{signature}","statement""#));
    assert_eq!(line, signed);
}
