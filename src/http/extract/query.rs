//! Parameters of the query string.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, openapi::path::ParameterIn};
use workroom_domain::refusal::FORBIDDEN_CHARACTER;

use super::json::code_of;
use crate::{
    application::Error,
    http::{
        State,
        openapi::operation::{Input, OperationDoc},
        problem::Problem,
    },
};

/// Parameters of the query string, all of them known.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<State> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        let refused = |code, detail: String| Problem::from(Error::invalid("", code, detail));
        let axum::extract::Query(value) = axum::extract::Query::try_from_uri(&parts.uri).map_err(|rejection| {
            let why = rejection.body_text();
            refused(code_of(&why), format!("the query string is not valid: {why}"))
        })?;
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(refused(FORBIDDEN_CHARACTER, "text must not contain NUL characters".to_owned()));
        }
        Ok(Self(value))
    }
}

impl<T: IntoParams> Input for Query<T> {
    fn describe(doc: &mut OperationDoc) {
        doc.takes_query = true;
        doc.parameters(T::into_params(|| Some(ParameterIn::Query)));
    }
}
