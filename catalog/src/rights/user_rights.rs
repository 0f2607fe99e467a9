//! What one user may do with the roles that are active.

use std::collections::{BTreeSet, HashMap, HashSet};

use waterbuck_engine::sql::{ADMIN_ROLE, ActiveRoles, Grantee, PUBLIC_ROLE, PolicyKind, Privilege};

use super::grant::Granted;
use super::limit::{Limit, closest};
use super::membership::{Membership, roles_of};
use super::policy::{Closeness, Policy};
use super::securable::Securable;

/// What the catalog holds about rights, as far as it matters for one user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) memberships: Vec<Membership>,
    /// At least those of the user and of the user's roles.
    pub(crate) grants: Vec<Granted>,
    /// Schemas and relations with their owners.
    pub(crate) owners: Vec<(Securable, Grantee)>,
    /// The names of schemas by id.
    pub(crate) schemas: HashMap<i64, String>,
    pub(crate) policies: Vec<Policy>,
    /// At least those of the user and of the user's roles.
    pub(crate) limits: Vec<Limit>,
}

/// The rights of one user at one moment.
#[derive(Debug, Clone)]
pub struct Rights {
    user: String,
    admin: bool,
    held: BTreeSet<String>,
    active: BTreeSet<String>,
    /// Roles the user may give on.
    giveable: BTreeSet<String>,
    grants: HashMap<(Place, Privilege), Extent>,
    owned: HashSet<Place>,
    policies: Vec<Policy>,
    limits: Vec<Limit>,
    schema_ids: HashMap<String, i64>,
}

/// An object without what may change about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Catalog,
    Schema(String),
    Relation(i64),
    Function(String),
    Setting(String),
}

/// How much of an object a privilege covers, and how much of it may be given on.
#[derive(Debug, Clone, Default)]
struct Extent {
    whole: bool,
    whole_grantable: bool,
    /// Columns, and whether the privilege on them may be given on.
    columns: HashMap<String, bool>,
}

impl Extent {
    fn add(&mut self, column: Option<&str>, grantable: bool) {
        match column {
            None => {
                self.whole = true;
                self.whole_grantable |= grantable;
            }
            Some(column) => {
                *self.columns.entry(column.to_owned()).or_default() |= grantable;
            }
        }
    }

    fn covers(&self, column: Option<&str>) -> bool {
        self.whole || column.is_some_and(|column| self.columns.contains_key(column))
    }

    fn grantable(&self, column: Option<&str>) -> bool {
        let of_column = |column| self.columns.get(column).copied().unwrap_or_default();
        self.whole_grantable || column.is_some_and(of_column)
    }
}

impl Place {
    fn of(object: &Securable) -> Self {
        match object {
            Securable::Catalog => Self::Catalog,
            Securable::Schema(name) => Self::Schema(name.clone()),
            Securable::Relation { id, .. } => Self::Relation(*id),
            Securable::Function(name) => Self::Function(name.clone()),
            Securable::Setting(name) => Self::Setting(name.clone()),
        }
    }

    /// The object and what holds it.
    fn upwards(object: &Securable) -> Vec<Self> {
        let mut places = vec![Self::of(object)];
        if let Securable::Relation { name, .. } = object {
            places.push(Self::Schema(name.schema.clone()));
        }
        if *object != Securable::Catalog {
            places.push(Self::Catalog);
        }
        places
    }
}

impl Rights {
    /// The rights of `user`, out of what the catalog holds.
    pub(crate) fn new(user: &str, active: &ActiveRoles, facts: Facts) -> Self {
        let me = Grantee::User(user.to_owned());
        let held = roles_of(&facts.memberships, &me);
        let active = active_of(&facts.memberships, &held, active);
        Self::with_roles(user, held, active, facts)
    }

    /// The rights of whoever has `role` and no other role but those it has.
    pub(crate) fn of_role(role: &str, facts: Facts) -> Self {
        let held = roles_of(&facts.memberships, &Grantee::Role(role.to_owned()));
        Self::with_roles("", held.clone(), held, facts)
    }

    fn with_roles(
        user: &str,
        held: BTreeSet<String>,
        active: BTreeSet<String>,
        facts: Facts,
    ) -> Self {
        let counts = |grantee: &Grantee| match grantee {
            Grantee::User(name) => name == user,
            Grantee::Role(role) => active.contains(role),
        };
        let mut grants: HashMap<_, Extent> = HashMap::new();
        for granted in facts.grants.iter().filter(|given| counts(&given.grantee)) {
            let target = &granted.target;
            grants
                .entry((Place::of(&target.object), target.privilege))
                .or_default()
                .add(target.column.as_deref(), granted.grantable);
        }
        let owned = facts.owners.iter().filter(|(_, owner)| counts(owner));
        let giveable = facts
            .memberships
            .iter()
            .filter(|given| given.admin_option && counts(&given.member));
        let policies = facts.policies.into_iter().filter(|policy| {
            policy
                .grantees
                .iter()
                .any(|grantee| binds(grantee, user, &held))
        });
        let limits = facts.limits.into_iter();
        let limits = limits.filter(|limit| binds(&limit.of, user, &held));
        Self {
            user: user.to_owned(),
            limits: closest(limits),
            schema_ids: facts
                .schemas
                .into_iter()
                .map(|(id, name)| (name, id))
                .collect(),
            admin: active.contains(ADMIN_ROLE),
            grants,
            owned: owned.map(|(object, _)| Place::of(object)).collect(),
            giveable: giveable.map(|given| given.role.clone()).collect(),
            policies: policies.collect(),
            held,
            active,
        }
    }

    /// The same user as one who may do everything, for whom the catalog need not know as such: that
    /// of an embedded engine. Row filters and column masks stay.
    #[must_use]
    pub fn as_admin(mut self) -> Self {
        self.admin = true;
        self.held.insert(ADMIN_ROLE.to_owned());
        self.active.insert(ADMIN_ROLE.to_owned());
        self
    }

    /// Whose rights they are; empty for those of a role.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// May do everything.
    pub fn is_admin(&self) -> bool {
        self.admin
    }

    /// The roles the user has, active or not.
    pub fn held_roles(&self) -> &BTreeSet<String> {
        &self.held
    }

    /// The roles that count now.
    pub fn active_roles(&self) -> &BTreeSet<String> {
        &self.active
    }

    /// Whether the user may do this to the whole object or, when one is named, to its column. What
    /// is in a schema also takes USAGE on the schema, but for its owner.
    pub fn may(&self, privilege: Privilege, object: &Securable, column: Option<&str>) -> bool {
        if self.owns(object) {
            return true;
        }
        self.reaches(object) && self.extents(privilege, object).any(|e| e.covers(column))
    }

    /// Whether the user may do this to the object or at least to one column of it.
    pub fn may_in_part(&self, privilege: Privilege, object: &Securable) -> bool {
        let part = |extent: &Extent| extent.whole || !extent.columns.is_empty();
        self.owns(object) || (self.reaches(object) && self.extents(privilege, object).any(part))
    }

    /// Whether the user may give this privilege to others.
    pub fn may_grant(
        &self,
        privilege: Privilege,
        object: &Securable,
        column: Option<&str>,
    ) -> bool {
        self.owns(object) || self.extents(privilege, object).any(|e| e.grantable(column))
    }

    /// Whether the user may know that the object is there.
    pub fn sees(&self, object: &Securable) -> bool {
        let privileges = object.privileges();
        privileges
            .iter()
            .any(|privilege| self.may_in_part(*privilege, object))
    }

    /// Whether the user owns the object or what holds it; administrators own everything.
    pub fn owns(&self, object: &Securable) -> bool {
        self.admin
            || Place::upwards(object)
                .iter()
                .any(|place| self.owned.contains(place))
    }

    /// Whether the user may give the role to others.
    pub fn may_give_role(&self, role: &str) -> bool {
        self.admin || self.giveable.contains(role)
    }

    /// Whether the user may make this the owner of what is the user's own. Somebody else's name
    /// would lend the other's rights to a view that the user has written.
    pub fn may_make_owner(&self, owner: &Grantee) -> bool {
        self.admin
            || match owner {
                Grantee::User(name) => *name == self.user,
                Grantee::Role(role) => role != PUBLIC_ROLE && self.active.contains(role),
            }
    }

    /// The row filters that bind the user on a table: a row must pass them all.
    pub fn row_filters(&self, table_id: i64) -> impl Iterator<Item = &Policy> {
        self.policies.iter().filter(move |policy| {
            policy.table_id == table_id && policy.kind == PolicyKind::RowFilter
        })
    }

    /// The mask that the user sees in place of a column: that which names the user most closely.
    pub fn mask(&self, table_id: i64, column: &str) -> Option<&Policy> {
        let masks = self.policies.iter().filter(|policy| {
            let masks = matches!(&policy.kind, PolicyKind::ColumnMask { column: c } if c == column);
            masks && policy.table_id == table_id
        });
        masks.max_by_key(|policy| {
            let binding = policy.grantees.iter();
            let binding = binding.filter(|grantee| binds(grantee, &self.user, &self.held));
            binding.map(Closeness::of).max()
        })
    }

    /// The schema that had this name when the rights were read: what they say of the name, they say of
    /// it. Rights on all schemas hold for those that came later, too.
    pub fn schema_id(&self, name: &str) -> Option<i64> {
        self.schema_ids.get(name).copied()
    }

    /// What the user may have of the server, by name: where several are of one name, the most generous
    /// of them. Those of all roles count, active or not.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Whether a row filter or a column mask of the table binds the user.
    pub fn is_bound(&self, table_id: i64) -> bool {
        self.policies
            .iter()
            .any(|policy| policy.table_id == table_id)
    }

    /// Whether the same row filters and column masks bind both.
    pub fn is_bound_as(&self, other: &Self) -> bool {
        self.policies == other.policies
    }

    /// Whether the user reads every row and column of a table or view as it is.
    pub fn reads_whole(&self, object: &Securable) -> bool {
        let bound = matches!(object, Securable::Relation { id, .. } if self.is_bound(*id));
        !bound && self.may(Privilege::Select, object, None)
    }

    /// Whether the user may know that a column is there: what may be done to single columns may be
    /// done to it.
    pub fn sees_column(&self, object: &Securable, column: &str) -> bool {
        [Privilege::Select, Privilege::Insert, Privilege::Update]
            .into_iter()
            .any(|privilege| self.may(privilege, object, Some(column)))
    }

    fn extents(&self, privilege: Privilege, object: &Securable) -> impl Iterator<Item = &Extent> {
        let places = Place::upwards(object).into_iter();
        places.filter_map(move |place| self.grants.get(&(place, privilege)))
    }

    fn reaches(&self, object: &Securable) -> bool {
        let Securable::Relation { name, .. } = object else {
            return true;
        };
        let schema = Securable::Schema(name.schema.clone());
        self.may(Privilege::Usage, &schema, None)
    }
}

fn binds(grantee: &Grantee, user: &str, held: &BTreeSet<String>) -> bool {
    match grantee {
        Grantee::User(name) => name == user,
        Grantee::Role(role) => held.contains(role),
    }
}

/// The roles that count: a role which the user does not have (any more) counts for nothing.
fn active_of(
    memberships: &[Membership],
    held: &BTreeSet<String>,
    active: &ActiveRoles,
) -> BTreeSet<String> {
    match active {
        ActiveRoles::All => held.clone(),
        ActiveRoles::One(role) if held.contains(role) => {
            roles_of(memberships, &Grantee::Role(role.clone()))
        }
        ActiveRoles::One(_) | ActiveRoles::None => {
            roles_of(memberships, &Grantee::Role(PUBLIC_ROLE.to_owned()))
        }
    }
}
