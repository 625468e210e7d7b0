//! Counts the requests to the admin port, by the templates of their paths: nothing that a caller writes becomes a label.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

use crate::telemetry::Metrics;
use crate::telemetry::metrics::{RouteMethod, RouteMethodStatus, Template};

/// What no call has, and methods that no call knows.
const OTHER: &str = "other";

/// The same, whose answers are counted.
pub fn counted(router: Router, metrics: Arc<Metrics>) -> Router {
    router.layer(from_fn_with_state(metrics, count))
}

/// Lets a request through, and counts what it is answered.
async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let method = known(request.method());
    let response = next.run(request).await;
    // Who answers many calls behind one path of the router says which it was.
    let said = response.extensions().get::<Template>();
    let route = match (said, &matched) {
        (Some(Template(path)), _) => path,
        (None, Some(path)) if !path.as_str().contains("{*") => path.as_str(),
        (None, _) => OTHER,
    };
    let of = RouteMethod {
        route: route.to_owned(),
        method,
    };
    let seconds = began.elapsed().as_secs_f64();
    let taken = &metrics.http_request_seconds;
    taken.get_or_create(&of).observe(seconds);
    let of = RouteMethodStatus {
        route: of.route,
        method,
        status: response.status().as_u16(),
    };
    metrics.http_requests.get_or_create(&of).inc();
    response
}

fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::{any, get};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn nothing_that_a_caller_writes_becomes_a_label() {
        let metrics = Arc::<Metrics>::default();
        let named = async || {
            let mut answer = Response::new(Body::empty());
            let template = Template("/folder/{id}".to_owned());
            answer.extensions_mut().insert(template);
            answer
        };
        let router = Router::new()
            .route("/things/{id}", get(async || "a thing"))
            .route("/folder/{*rest}", any(named))
            .route("/some/{*rest}", any(async || StatusCode::NOT_FOUND));
        let router = counted(router, metrics.clone());
        for (method, path) in [
            ("GET", "/things/secret-1?api_key=secret-2"),
            ("GET", "/things/secret-3"),
            ("POST", "/things/secret-4"),
            ("GET", "/folder/secret-5"),
            ("GET", "/some/secret-6"),
            ("GET", "/secret-7"),
            ("SECRET", "/secret-8"),
        ] {
            let request = Request::builder().method(method).uri(path);
            let request = request.body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap();
        }
        let (gauges, process) = (Default::default(), Default::default());
        let text = metrics.encode(&gauges, &process).unwrap();
        assert!(!text.to_lowercase().contains("secret"), "{text}");
        for (labels, requests) in [
            (r#"route="/things/{id}",method="GET",status="200""#, 2),
            (r#"route="/things/{id}",method="POST",status="405""#, 1),
            (r#"route="/folder/{id}",method="GET",status="200""#, 1),
            (r#"route="other",method="GET",status="404""#, 2),
            (r#"route="other",method="other",status="404""#, 1),
        ] {
            let line = format!("chancery_http_requests_total{{{labels}}} {requests}\n");
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        let line = r#"chancery_http_request_seconds_count{route="/things/{id}",method="GET"} 2"#;
        assert!(text.contains(line), "{text}");
    }
}
