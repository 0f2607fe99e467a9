//! Random grants and revocations against the simplest model there is: a set of what was given.

use std::collections::BTreeSet;

use waterbuck_engine::sql::{ActiveRoles, Grantee, Privilege};

use super::fixture::{Fixture, external};
use super::rights::{peopled, role, user};
use crate::model::TableDef;
use crate::rights::{GrantChange, GrantTarget, Rights, RoleChange, Securable};

const SEEDS: u64 = 8;
const STEPS: usize = 60;
const PRIVILEGES: [Privilege; 2] = [Privilege::Select, Privilege::Insert];
const COLUMNS: [Option<&str>; 3] = [None, Some("id"), Some("text")];
const ROLES: [&str; 2] = ["q", "r"];

/// A generator that gives the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

#[derive(Debug, Default)]
struct Model {
    given: BTreeSet<(Grantee, GrantTarget)>,
    grantable: BTreeSet<(Grantee, GrantTarget)>,
    roles: BTreeSet<(String, Grantee)>,
}

impl Model {
    fn grant(&mut self, change: &GrantChange) {
        for (grantee, target) in pairs(change) {
            if change.option {
                self.grantable.insert((grantee.clone(), target.clone()));
            }
            self.given.insert((grantee, target));
        }
    }

    fn revoke(&mut self, change: &GrantChange) {
        for (from, gone) in pairs(change) {
            let stays = |(grantee, target): &(Grantee, GrantTarget)| {
                let same = target.privilege == gone.privilege && target.object == gone.object;
                let covered = gone.column.is_none() || target.column == gone.column;
                !(*grantee == from && same && covered)
            };
            self.grantable.retain(stays);
            if !change.option {
                self.given.retain(stays);
            }
        }
    }

    fn has(&self, user: &str, role: &str) -> bool {
        let direct = |member: Grantee| self.roles.contains(&(role.to_owned(), member));
        direct(Grantee::User(user.to_owned()))
            || ROLES.iter().any(|other| {
                *other != role
                    && direct(Grantee::Role((*other).to_owned()))
                    && self.has(user, other)
            })
    }

    fn holds(
        &self,
        set: &BTreeSet<(Grantee, GrantTarget)>,
        name: &str,
        asked: &GrantTarget,
        places: &[&Securable],
    ) -> bool {
        set.iter().any(|(grantee, target)| {
            let counts = match grantee {
                Grantee::User(user) => user == name,
                Grantee::Role(role) => self.has(name, role),
            };
            counts
                && target.privilege == asked.privilege
                && places.contains(&&target.object)
                && (target.column.is_none() || target.column == asked.column)
        })
    }
}

fn pairs(change: &GrantChange) -> Vec<(Grantee, GrantTarget)> {
    let grantees = change.grantees.iter();
    grantees
        .flat_map(|grantee| {
            let targets = change.targets.iter();
            targets.map(move |target| (grantee.clone(), target.clone()))
        })
        .collect()
}

fn random_change(random: &mut Random, objects: &[Securable]) -> GrantChange {
    let object = random.of(objects).clone();
    let column = match &object {
        Securable::Relation { .. } => random.of(&COLUMNS).map(str::to_owned),
        _ => None,
    };
    let target = GrantTarget {
        privilege: *random.of(&PRIVILEGES),
        object,
        column,
    };
    GrantChange {
        schema_id: None,
        targets: vec![target],
        grantees: vec![random_grantee(random)],
        option: random.below(3) == 0,
        by: "admin".to_owned(),
    }
}

fn random_grantee(random: &mut Random) -> Grantee {
    let grantees = [user("ann"), user("bob"), role("q"), role("r")];
    random.of(&grantees).clone()
}

/// Gives or takes away a role; what the store refuses changes nothing.
async fn change_role(fixture: &Fixture, random: &mut Random, model: &mut Model) {
    let (name, member) = ((*random.of(&ROLES)).to_owned(), random_grantee(random));
    let change = RoleChange {
        roles: vec![name.clone()],
        members: vec![member.clone()],
        option: false,
        by: "admin".to_owned(),
    };
    if random.below(2) == 0 {
        let other = Grantee::Role(name.clone());
        let circle = member == other
            || model
                .roles
                .iter()
                .any(|(role, has)| *has == other && member == Grantee::Role(role.clone()));
        let granted = fixture.store.grant_roles(&change).await;
        assert_eq!(granted.is_err(), circle);
        if !circle {
            model.roles.insert((name, member));
        }
    } else {
        fixture.store.revoke_roles(&change).await.unwrap();
        model.roles.remove(&(name, member));
    }
}

fn compare(model: &Model, name: &str, rights: &Rights, tables: &[TableDef], seed: u64) {
    let schema = Securable::Schema("main".to_owned());
    for table in tables {
        let object = Securable::of(table);
        let places = [&object, &schema, &Securable::Catalog];
        for privilege in PRIVILEGES {
            for column in COLUMNS {
                let asked = GrantTarget {
                    privilege,
                    object: object.clone(),
                    column: column.map(str::to_owned),
                };
                let may = model.holds(&model.given, name, &asked, &places);
                let is = rights.may(privilege, &object, column);
                assert_eq!(is, may, "seed {seed}: {name} {asked:?} in {model:?}");
                let may = model.holds(&model.grantable, name, &asked, &places);
                let is = rights.may_grant(privilege, &object, column);
                assert_eq!(is, may, "seed {seed}: {name} grants {asked:?} in {model:?}");
            }
        }
    }
}

#[tokio::test]
async fn rights_are_what_was_given_and_not_taken_away() {
    for seed in 0..SEEDS {
        let fixture = peopled().await;
        let tables = [
            fixture.create(external("e")).await,
            fixture.create(external("f")).await,
        ];
        let objects = [
            Securable::of(&tables[0]),
            Securable::of(&tables[1]),
            Securable::Schema("main".to_owned()),
            Securable::Catalog,
        ];
        let (mut random, mut model) = (Random(seed), Model::default());
        for _ in 0..STEPS {
            match random.below(4) {
                0 => change_role(&fixture, &mut random, &mut model).await,
                1 => {
                    let change = random_change(&mut random, &objects);
                    fixture.store.revoke(&change).await.unwrap();
                    model.revoke(&change);
                }
                _ => {
                    let change = random_change(&mut random, &objects);
                    fixture.store.grant(&change).await.unwrap();
                    model.grant(&change);
                }
            }
            for name in ["ann", "bob"] {
                let rights = fixture.store.rights(name, &ActiveRoles::All).await;
                compare(&model, name, &rights.unwrap(), &tables, seed);
            }
        }
    }
}
