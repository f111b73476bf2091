//! Who looks at a page, and what a form of theirs says.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;

use crate::server::auth::Caller;
use crate::server::config::{Config, Instance, is_id};
use crate::server::errors::ApiError;
use crate::server::extract::Asked;

/// The field that proves that a form is of a page of ours.
pub(super) const CSRF: &str = "csrf";

/// What the path of an instance's page names.
pub(super) type InstancePath = Result<Path<String>, PathRejection>;

/// What the path of a task's page names.
pub(super) type TaskPath = Result<Path<(String, String)>, PathRejection>;

/// Who looks at a page.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) asked: Asked,
    pub(super) csrf: String,
    /// The instances that there are.
    pub(super) config: Arc<Config>,
}

/// The fields of a form, as they were sent.
#[derive(Clone, Debug)]
pub(super) struct Fields(pub(super) Vec<(String, String)>);

impl Visitor {
    /// Whether the visitor may change something.
    pub(super) fn may_change(&self) -> bool {
        !self.asked.caller.is_read_only()
    }

    /// Whether there is something to log out of.
    pub(super) fn is_logged_in(&self) -> bool {
        self.asked.caller != Caller::Anyone
    }

    /// The visitor's instances.
    pub(super) fn instances(&self) -> impl Iterator<Item = (&String, &Instance)> {
        let may_see = |instance: &Instance| self.asked.caller.check_project(&instance.project_id).is_ok();
        self.config.instances.iter().filter(move |(_, instance)| may_see(instance))
    }

    /// One of the visitor's instances. Those of others do not exist.
    ///
    /// # Errors
    /// [`ApiError::NO_INSTANCE`].
    pub(super) fn instance(&self, id: &str) -> Result<&Instance, ApiError> {
        let found = self.config.instances.get(id);
        let found = found.filter(|instance| self.asked.caller.check_project(&instance.project_id).is_ok());
        found.ok_or(ApiError::NO_INSTANCE)
    }

    /// The ID of an instance in a path, if it is one of the visitor's.
    ///
    /// # Errors
    /// [`ApiError::NO_INSTANCE`].
    pub(super) fn instance_of(&self, path: InstancePath) -> Result<String, ApiError> {
        let Path(instance_id) = path.map_err(|_| ApiError::NO_INSTANCE)?;
        self.instance(&instance_id)?;
        Ok(instance_id)
    }

    /// The IDs of an instance and a task in a path, if they can be the visitor's.
    ///
    /// # Errors
    /// [`ApiError::NO_INSTANCE`], [`ApiError::TASK_FORMAT`].
    pub(super) fn task_of(&self, path: TaskPath) -> Result<(String, String), ApiError> {
        let Path((instance_id, task_id)) = path.map_err(|_| ApiError::TASK_FORMAT)?;
        self.instance(&instance_id)?;
        if is_id(&task_id) { Ok((instance_id, task_id)) } else { Err(ApiError::TASK_FORMAT) }
    }
}

impl Fields {
    /// A field's first value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }
}
