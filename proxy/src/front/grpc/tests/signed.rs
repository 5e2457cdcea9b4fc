//! Calls are signed by the client as the front judges them.

use std::sync::Mutex;

use api::{Answer, Context, ErrorKind, OpKind, Response};
use grpc::client::Lane;

use super::*;

/// Notes who called.
#[derive(Default)]
struct Noting(Mutex<Vec<String>>);

impl DynamoDb for Noting {
    async fn call(&self, cx: Context, _: Request) -> Result<Answer, Error> {
        self.0.lock().unwrap().push(cx.caller.access_key.clone());
        Ok(Answer::from_store(Response::GetItem(Default::default()), None))
    }
}

fn credentials(access_key: &str, secret_key: &str, token: Option<&str>) -> Credentials {
    Credentials {
        access_key: access_key.into(),
        secret_key: secret_key.into(),
        session_token: token.map(Into::into),
    }
}

#[tokio::test]
async fn calls_are_signed_as_the_front_judges_them() {
    let known = [credentials("AKLONG", "long-secret", None), credentials("AKBRIEF", "brief", Some("token"))];
    let keyring = Arc::new(Keyring::new(known.clone(), Some("eu-west-1".into())));
    let (db, system) = (Arc::new(Noting::default()), system());
    let server = server(Arc::clone(&db), &sigv4::Auth::Keys(keyring), &Config::default(), &system);
    let dial = || Arc::new(Near(server.clone())) as Arc<dyn Dial>;
    let get = request(OpKind::GetItem, r#"{"TableName":"things","Key":{"pk":{"S":"é"}}}"#);
    let signed = |who: Credentials, region: &str| {
        let signer = Arc::new(Signing::new(who, region));
        let client =
            GrpcDb::signed(endpoint(), signer, GrpcDbSettings::default(), dial(), system.clone() as _);
        client.unwrap()
    };
    for who in known.clone() {
        let client = signed(who.clone(), "eu-west-1");
        for _ in 0..2 {
            client.call(Context::default(), get.clone()).await.unwrap();
            assert_eq!(db.0.lock().unwrap().last(), Some(&who.access_key));
        }
    }
    let asked = db.0.lock().unwrap().len();
    for (who, region, kind) in [
        (credentials("AKLONG", "another", None), "eu-west-1", ErrorKind::InvalidSignatureException),
        (known[0].clone(), "us-east-1", ErrorKind::InvalidSignatureException),
        (credentials("AKBRIEF", "brief", None), "eu-west-1", ErrorKind::UnrecognizedClientException),
        (credentials("AKNOBODY", "x", None), "eu-west-1", ErrorKind::UnrecognizedClientException),
    ] {
        let refused = signed(who, region).call(Context::default(), get.clone()).await.unwrap_err();
        assert_eq!(refused.kind, kind, "{refused}");
    }
    let unsigned =
        GrpcDb::new(endpoint(), Lane::Client, GrpcDbSettings::default(), dial(), system.clone() as _)
            .unwrap();
    let refused = unsigned.call(Context::default(), get).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::MissingAuthenticationTokenException);
    assert_eq!(db.0.lock().unwrap().len(), asked, "nobody else got through");
}
