resource "aws_apigatewayv2_api" "projects" {
  name          = "keyscope-example-projects-http"
  protocol_type = "HTTP"

  # Lets pages of any origin read responses and errors. Use your own origin instead.
  cors_configuration {
    allow_origins = ["*"]
    allow_headers = ["Authorization", "Content-Type"]
    allow_methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
  }
}

resource "aws_apigatewayv2_authorizer" "keyscope" {
  name                              = "Keyscope"
  api_id                            = aws_apigatewayv2_api.projects.id
  authorizer_type                   = "REQUEST"
  authorizer_uri                    = "${local.functions_uri}/${local.authorizers["Http"]}/invocations"
  authorizer_payload_format_version = "2.0"
  # A policy, not a simple response, because the result is cached for every path.
  enable_simple_responses          = false
  identity_sources                 = ["$request.header.Authorization"]
  authorizer_result_ttl_in_seconds = local.authorizer_ttl
}

resource "aws_lambda_permission" "http_authorizer" {
  action        = "lambda:InvokeFunction"
  function_name = join(":", slice(split(":", local.authorizers["Http"]), 0, 7))
  qualifier     = split(":", local.authorizers["Http"])[7]
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.apis_arn}:${aws_apigatewayv2_api.projects.id}/authorizers/*"
}

resource "aws_apigatewayv2_integration" "projects" {
  api_id                 = aws_apigatewayv2_api.projects.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.projects.arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "tenants" {
  api_id             = aws_apigatewayv2_api.projects.id
  route_key          = "ANY /tenants/{proxy+}"
  authorization_type = "CUSTOM"
  authorizer_id      = aws_apigatewayv2_authorizer.keyscope.id
  target             = "integrations/${aws_apigatewayv2_integration.projects.id}"
}

resource "aws_lambda_permission" "http_projects" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.projects.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.projects.execution_arn}/*"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.projects.id
  name        = "$default"
  auto_deploy = true
}

output "http_url" {
  value = aws_apigatewayv2_api.projects.api_endpoint
}
