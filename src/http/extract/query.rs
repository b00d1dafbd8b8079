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
        let mut pairs = parts.uri.query().unwrap_or_default().split('&');
        if let Some(pair) = pairs.find(|pair| pair.contains("%00")) {
            // The name is one that is known.
            let name = pair.split('=').next().unwrap_or_default();
            let detail = "text must not contain NUL characters";
            return Err(Error::invalid(&format!("/{name}"), FORBIDDEN_CHARACTER, detail).into());
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
