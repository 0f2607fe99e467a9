//! Roles, grants, owners and policies in their tables.

mod cache;
mod grantees;
mod grants;
mod load;
mod owners;
mod policies;
mod roles;
mod store;

pub(super) use cache::RightsCache;
pub(super) use grantees::{
    admins, check as check_grantee, forget_grantee, from_row as grantee_from_row, keep_an_admin,
    make_admin, unmake_admin,
};
pub(super) use owners::{
    all as owners_by_id, attach as attach_owners, forget_object, insert_owner,
};
