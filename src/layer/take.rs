//! A macro for state machines without `Option`s.

/// Takes the data of a state out of its place, and leaves `Done` there.
macro_rules! take {
    ($step:expr, $state:pat => $held:expr) => {
        match $step.as_mut().project_replace(Step::Done) {
            $state => $held,
            _ => unreachable!("the step was in another state when it was polled"),
        }
    };
}
pub(crate) use take;
