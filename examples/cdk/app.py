"""A REST API and an HTTP API behind the authorizers of a Keyscope stack."""

import json
from pathlib import Path

from aws_cdk import App, Aws, CfnOutput, Duration, Fn, Stack
from aws_cdk import aws_apigateway as rest
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

KEYSCOPE_STACK = "keyscope"
CACHE_TIME = Duration.seconds(300)
BACKEND = str(Path(__file__).parents[1] / "backend")
REALM = 'realm="projects"'
CHALLENGE = f"'Basic {REALM}, charset=\"UTF-8\", Bearer {REALM}'"
CORS = {"Access-Control-Allow-Origin": "'*'"}
"""Lets pages of any origin read error responses. Use your own origin instead."""
INTERNAL_ERROR = ("500", "internal_error", "The request could not be authorized. Try again later")
ANSWERS = {
    rest.ResponseType.UNAUTHORIZED: ("401", "unauthorized", "Authorization is required"),
    rest.ResponseType.ACCESS_DENIED: ("403", "forbidden", "The credential does not reach this"),
    rest.ResponseType.AUTHORIZER_FAILURE: INTERNAL_ERROR,
    rest.ResponseType.AUTHORIZER_CONFIGURATION_ERROR: INTERNAL_ERROR,
}


class ProjectsRestApi(Construct):
    """The REST API, with its gateway responses."""

    def __init__(self, scope: Construct, name: str, backend: lambda_.IFunction) -> None:
        super().__init__(scope, name)
        authorizer = lambda_.Function.from_function_attributes(
            self,
            "Authorizer",
            function_arn=Fn.import_value(f"{KEYSCOPE_STACK}-RestAuthorizerArn"),
            # Otherwise CDK creates no permission to invoke it.
            same_environment=True,
        )
        api = rest.RestApi(
            self,
            "Api",
            endpoint_types=[rest.EndpointType.REGIONAL],
            # For usage plans: the authorizer names the key that each request counts against.
            api_key_source_type=rest.ApiKeySourceType.AUTHORIZER,
            default_method_options=rest.MethodOptions(
                authorizer=rest.RequestAuthorizer(
                    self,
                    "Keyscope",
                    handler=authorizer,
                    identity_sources=[rest.IdentitySource.header("Authorization")],
                    results_cache_ttl=CACHE_TIME,
                ),
            ),
        )
        tenants = api.root.add_resource("tenants")
        tenants.add_proxy(default_integration=rest.LambdaIntegration(backend))
        for response_type, (status, code, title) in ANSWERS.items():
            challenge = {"WWW-Authenticate": CHALLENGE} if status == "401" else {}
            body = json.dumps({"errors": [{"code": code, "title": title}]})
            api.add_gateway_response(
                f"Answer{response_type.response_type}",
                type=response_type,
                status_code=status,
                response_headers={**CORS, **challenge},
                templates={"application/json": body},
            )


class ProjectsHttpApi(Construct):
    """The HTTP API. CDK's HttpLambdaAuthorizer supports policies only in payload format 1.0."""

    def __init__(self, scope: Construct, name: str, backend: lambda_.IFunction) -> None:
        super().__init__(scope, name)
        arn = Fn.import_value(f"{KEYSCOPE_STACK}-HttpAuthorizerArn")
        invoke = f"lambda:path/2015-03-31/functions/{arn}/invocations"
        api = http.HttpApi(
            self,
            "Api",
            cors_preflight=http.CorsPreflightOptions(
                allow_origins=["*"],
                allow_headers=["Authorization", "Content-Type"],
                allow_methods=[http.CorsHttpMethod.ANY],
            ),
        )
        authorizer = http.HttpAuthorizer(
            self,
            "Keyscope",
            http_api=api,
            type=http.HttpAuthorizerType.LAMBDA,
            authorizer_uri=f"arn:{Aws.PARTITION}:apigateway:{Aws.REGION}:{invoke}",
            identity_source=["$request.header.Authorization"],
            payload_format_version=http.AuthorizerPayloadVersion.VERSION_2_0,
            enable_simple_responses=False,
            results_cache_ttl=CACHE_TIME,
        )
        source = f"{Aws.REGION}:{Aws.ACCOUNT_ID}:{api.api_id}/authorizers/*"
        lambda_.CfnPermission(
            self,
            "KeyscopePermission",
            action="lambda:InvokeFunction",
            function_name=arn,
            principal="apigateway.amazonaws.com",
            source_arn=f"arn:{Aws.PARTITION}:execute-api:{source}",
        )
        api.add_routes(
            path="/tenants/{proxy+}",
            integration=HttpLambdaIntegration("Projects", backend),
            authorizer=http.HttpAuthorizer.from_http_authorizer_attributes(
                self,
                "Attached",
                authorizer_id=authorizer.authorizer_id,
                authorizer_type="CUSTOM",
            ),
        )
        CfnOutput(self, "Url", value=api.api_endpoint)


app = App()
stack = Stack(app, "keyscope-example-cdk")
backend = lambda_.Function(
    stack,
    "Projects",
    runtime=lambda_.Runtime.PYTHON_3_13,
    architecture=lambda_.Architecture.ARM_64,
    handler="app.handler",
    code=lambda_.Code.from_asset(BACKEND, exclude=["__pycache__"]),
)
ProjectsRestApi(stack, "Rest", backend)
ProjectsHttpApi(stack, "Http", backend)
app.synth()
