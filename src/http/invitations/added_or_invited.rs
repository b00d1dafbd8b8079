//! What becomes of adding somebody by their address: a member, or an invitation; `status` says which.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Discriminator, OneOfBuilder, Ref, RefOr, Schema},
};

use super::Invitation;

/// A member, or an invitation to become one.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum AddedOrInvited<Member> {
    /// The address counts as an account's: it is a member now.
    Added(Member),
    /// It counts as nobody's: an invitation is on its way.
    Invited(Invitation),
}

impl<Member: ToSchema> PartialSchema for AddedOrInvited<Member> {
    fn schema() -> RefOr<Schema> {
        let (added, invited) = (Ref::from_schema_name(Member::name()), Ref::from_schema_name(Invitation::name()));
        let mapping = [("active", added.ref_location.clone()), ("invited", invited.ref_location.clone())];
        OneOfBuilder::new()
            .item(added)
            .item(invited)
            .discriminator(Some(Discriminator::with_mapping("status", mapping)))
            .description(Some("A member now, or an invitation; `status` says which."))
            .into()
    }
}

impl<Member: ToSchema> ToSchema for AddedOrInvited<Member> {
    fn name() -> Cow<'static, str> {
        format!("{}OrInvitation", Member::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Member::name().into_owned(), Member::schema()));
        Member::schemas(schemas);
        schemas.push((Invitation::name().into_owned(), Invitation::schema()));
        Invitation::schemas(schemas);
    }
}
